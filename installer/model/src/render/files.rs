//! Configuration files, secret files and folders of a stack.

use std::collections::BTreeSet;

use super::{
    Deployment, RenderError,
    context::{Context, acme_root_file},
    file, folder, oidc_secret, stack_folder,
};
use crate::{
    Digest,
    catalogue::{Service, Stack, wish::Reading},
    plan::{FileWish, FolderWish},
    secret::{SecretRef, placeholders},
    seed::Certificate,
};

/// Everything of a stack but its Compose file.
#[derive(Debug, Default)]
pub(super) struct Made {
    pub folders: Vec<FolderWish>,
    pub files: Vec<MadeFile>,
    pub initial: Vec<FileWish>,
    /// Secret files by service and name.
    pub secrets: Vec<SecretFile>,
}

/// A file and who must be started anew when it changes.
#[derive(Debug)]
pub(super) struct MadeFile {
    pub wish: FileWish,
    reader: Option<String>,
}

/// A secret file of a service.
#[derive(Debug)]
pub(super) struct SecretFile {
    pub service: String,
    /// Name below `./secrets` and `/run/secrets`.
    pub name: String,
    pub secret: SecretRef,
    /// A variable that names the file, where the Compose file cannot.
    pub variable: Option<String>,
    /// Not declared by the Compose file itself.
    pub added: bool,
}

impl Made {
    /// Digest of what a service reads at its start.
    pub fn configuration(&self, service: &str) -> Digest {
        let read = self.files.iter().filter(|file| file.reader.as_deref() == Some(service));
        let lines: String = read
            .map(|file| format!("{} {}\n", Digest::of(&file.wish.text).hex(), file.wish.path))
            .collect();
        Digest::of(lines)
    }

    /// Does a service read anything at its start?
    pub fn has_configuration(&self, service: &str) -> bool {
        self.files.iter().any(|file| file.reader.as_deref() == Some(service))
    }
}

pub(super) fn files(
    deployment: &Deployment<'_>,
    stack: &Stack,
    services: &[&Service],
    context: &Context,
) -> Result<Made, RenderError> {
    let at = stack_folder(&stack.name);
    let mut made = Made::default();
    made.folders.push(folder(at.clone(), 0o755, (0, 0)));
    for service in services {
        configuration(stack, service, context, &mut made)?;
        secrets(deployment, stack, service, &mut made);
    }
    if !made.secrets.is_empty() {
        // Docker mounts each file by itself, so nobody else needs to look inside.
        made.folders.push(folder(format!("{at}/secrets"), 0o700, (0, 0)));
    }
    let mut written = BTreeSet::new();
    for secret in &made.secrets {
        if written.insert(secret.name.clone()) {
            let owner = services.iter().find(|s| s.name == secret.service).map(|s| s.owner());
            let path = format!("{at}/secrets/{}", secret.name);
            let text = secret.secret.placeholder();
            let wish = file(path, 0o400, owner.unwrap_or_default(), text);
            made.files.push(MadeFile { wish, reader: None });
        }
    }
    folders(services, &at, &mut made);
    Ok(made)
}

fn configuration(
    stack: &Stack,
    service: &Service,
    context: &Context,
    made: &mut Made,
) -> Result<(), RenderError> {
    for wanted in &service.wish.files {
        let wrong = |reason: String| RenderError {
            file: format!("{}/{}", stack.name, wanted.path),
            reason,
        };
        let (text, is_template) =
            stack.file(&wanted.path).ok_or_else(|| wrong("there is no such file".to_owned()))?;
        let text = match is_template {
            true => template(text, context).map_err(|error| wrong(format!("{error:#}")))?,
            false => text.to_owned(),
        };
        let secret = !placeholders(&text).is_empty();
        let (mode, owner) = match (wanted.read, secret) {
            (Reading::Initial, _) => (0o600, service.owner()),
            (_, true) => (0o400, service.owner()),
            (_, false) => (0o644, (0, 0)),
        };
        let path = format!("{}/{}", stack_folder(&stack.name), wanted.path);
        let wish = file(path, mode, owner, text);
        let reader = (wanted.read == Reading::Start).then(|| service.name.clone());
        match wanted.read {
            Reading::Initial => made.initial.push(wish),
            // A script that several services share.
            Reading::Live if made.files.iter().any(|file| file.wish == wish) => {}
            Reading::Start | Reading::Live => made.files.push(MadeFile { wish, reader }),
        }
    }
    Ok(())
}

fn template(text: &str, context: &Context) -> Result<String, minijinja::Error> {
    let mut environment = minijinja::Environment::new();
    environment.set_undefined_behavior(minijinja::UndefinedBehavior::Strict);
    environment.set_keep_trailing_newline(true);
    environment.render_str(text, context)
}

fn secrets(deployment: &Deployment<'_>, stack: &Stack, service: &Service, made: &mut Made) {
    let owned = |name: String, secret, variable, added| SecretFile {
        service: service.name.clone(),
        name,
        secret,
        variable,
        added,
    };
    let provider = service.wish.oidc_provider.as_ref();
    let no_clients = deployment.oidc_clients().next().is_none();
    for name in service.secrets() {
        // The provider's key is slow to make and of no use without clients.
        let idle = no_clients && provider.is_some_and(|p| p.hmac == name || p.key == name);
        if idle {
            continue;
        }
        if let Some(secret) = deployment.secret(stack, &name) {
            made.secrets.push(owned(name, secret, None, false));
        }
    }
    let has = |made: &Made, name: &str| {
        made.secrets.iter().any(|file| file.service == service.name && file.name == name)
    };
    let oidc = oidc_secret(&service.name);
    if service.wish.oidc.is_some() && !has(made, &oidc.0) {
        made.secrets.push(owned(oidc.0.clone(), oidc, None, true));
    }
    if service.wish.dns_credentials {
        for (variable, secret) in deployment.dns_credentials() {
            let name = format!("{}-{}", service.name, secret.0);
            made.secrets.push(owned(name, secret, Some(format!("{variable}_FILE")), true));
        }
        if let Certificate::Acme { root_ca: Some(_), .. } = &deployment.seed.domain.certificate {
            let secret = SecretRef::new("acme-root-ca");
            made.secrets.push(owned(acme_root_file(&service.name), secret, None, true));
        }
    }
}

/// Folders for bind mounts below the stack's own, and for its files, parents first. What a service
/// may write belongs to its user and to nobody else.
fn folders(services: &[&Service], at: &str, made: &mut Made) {
    let mut wanted: BTreeSet<String> = BTreeSet::new();
    let files: BTreeSet<String> = made
        .files
        .iter()
        .map(|file| &file.wish)
        .chain(&made.initial)
        .map(|wish| wish.path.clone())
        .collect();
    for service in services {
        for mount in service.mounts() {
            let Some(path) = mount.in_stack() else { continue };
            let path = format!("{at}/{path}");
            if files.contains(&path) {
                continue;
            }
            let (mode, owner) = match mount.read_only {
                true => (0o755, (0, 0)),
                false => (0o700, service.owner()),
            };
            parents(&path, at, &mut wanted, made);
            if wanted.insert(path.clone()) {
                made.folders.push(folder(path, mode, owner));
            } else if !mount.read_only {
                if let Some(known) = made.folders.iter_mut().find(|known| known.path == path) {
                    (known.mode, known.owner) = (mode, owner);
                }
            }
        }
    }
    for path in files {
        parents(&path, at, &mut wanted, made);
    }
}

fn parents(path: &str, at: &str, wanted: &mut BTreeSet<String>, made: &mut Made) {
    let below = path.strip_prefix(at).unwrap_or_default().trim_start_matches('/');
    let parts: Vec<&str> = below.split('/').collect();
    for end in 1..parts.len() {
        let parent = format!("{at}/{}", parts[..end].join("/"));
        let known = made.folders.iter().any(|folder| folder.path == parent);
        if wanted.insert(parent.clone()) && !known {
            // A folder inside of one that a service may write is that service's too.
            let outer = made.folders.iter().find(|outer| {
                outer.owner != (0, 0) && parent.starts_with(&format!("{}/", outer.path))
            });
            let (mode, owner) = outer.map_or((0o755, (0, 0)), |outer| (outer.mode, outer.owner));
            made.folders.push(folder(parent, mode, owner));
        }
    }
}
