use super::*;

const TEXT: &str = "# Authelia's users.
users:
  alex:
    disabled: false
    displayname: alex
    email: alex@example.org
    password: $argon2id$v=19$m=65536,t=3,p=4$c2FsdA$a2V5
    groups:
    - admins
    extra:
      shoe: 43
  bo:
    disabled: true
    displayname: Bo
    email: bo@example.org
    password: $argon2id$v=19$m=65536,t=3,p=4$c2FsdA$b3RoZXI
    groups: []
more: kept
";

fn users() -> Users {
    Users::parse(&Secret::new(TEXT)).unwrap()
}

fn new(name: &str, groups: &[&str]) -> User {
    User {
        name: name.into(),
        email: format!("{name}@example.org"),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        disabled: false,
    }
}

fn refused<T: std::fmt::Debug>(result: Result<T, Refused>) -> (String, String) {
    let refused = result.unwrap_err();
    (refused.what, refused.hint)
}

#[test]
fn what_is_not_changed_stays_as_it_is() {
    let mut users = users();
    assert_eq!(users.text().unwrap().reveal(), TEXT);
    users.set_password("bo", &Secret::new("$argon2id$new")).unwrap();
    users.add(&new("cleo", &["family"]), &Secret::new("$argon2id$cleo"));
    let changed = users.text().unwrap();
    let added = "  cleo:
    disabled: false
    displayname: cleo
    email: cleo@example.org
    password: $argon2id$cleo
    groups:
    - family
more: kept
";
    let expected = TEXT
        .replace("$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$b3RoZXI", "$argon2id$new")
        .replace("more: kept\n", added);
    assert_eq!(changed.reveal(), expected);
    users.remove("cleo").unwrap();
    let names: Vec<String> = users.list().into_iter().map(|user| user.name).collect();
    assert_eq!(names, ["alex", "bo"]);
}

#[test]
fn the_catalogues_own_file_is_read() {
    let text = include_str!("../../../../stacks/core/authelia/data/users_database.yml.j2");
    let text = text.replace("{{ admin.name | tojson }}", "\"alex\"");
    let text = text.replace("{{ admin.email | tojson }}", "\"alex@example.org\"");
    let users = Users::parse(&Secret::new(text)).unwrap();
    let alex = User { name: "alex".into(), ..new("alex", &["admins"]) };
    assert_eq!(users.list(), [alex]);
    assert!(users.text().unwrap().reveal().starts_with("# Authelia's users."));
}

#[test]
fn the_last_admin_stays() {
    let mut users = users();
    let (what, hint) = refused(users.remove("alex"));
    assert_eq!(what, "`alex` is the last admin, and nobody else could see admin pages");
    assert_eq!(
        hint,
        "make another one first: `homelab auth user add NAME --email … --group admins`"
    );
    // One that goes away by itself, or cannot log in, does not count.
    users.add(&new("homelab-access-1", &["admins"]), &Secret::new("x"));
    users.add(&User { disabled: true, ..new("dora", &["admins"]) }, &Secret::new("x"));
    assert!(users.remove("alex").is_err());
    users.add(&new("cleo", &["admins"]), &Secret::new("x"));
    users.remove("alex").unwrap();
    assert!(users.remove("cleo").is_err());
}

#[test]
fn the_unknown_and_the_known_are_told_with_a_way_out() {
    let mut users = users();
    assert_eq!(
        refused(users.remove("alec")),
        ("there is no user `alec`".into(), "did you mean `alex`?".into())
    );
    assert_eq!(
        refused(users.set_password("zoe", &Secret::new("x"))),
        ("there is no user `zoe`".into(), "there are: alex, bo".into())
    );
    assert_eq!(
        refused(users.check_new(&new("bo", &[]))),
        (
            "there is a user `bo` already".into(),
            "choose another name; `homelab auth reset bo` gives `bo` a new password".into()
        )
    );
}

#[test]
fn names_obey_the_seeds_rules() {
    let users = users();
    assert!(users.check_new(&new("cleo", &["family"])).is_ok());
    assert_eq!(refused(users.check_new(&new("Cleo", &[]))).0, "`Cleo` is no Linux user name");
    let mail = User { email: "cleo".into(), ..new("cleo", &[]) };
    assert_eq!(refused(users.check_new(&mail)).0, "`cleo` is no mail address");
    assert_eq!(
        refused(users.check_new(&new("cleo", &["My Family"]))).0,
        "`My Family` is no name of a group"
    );
    assert_eq!(
        refused(users.check_new(&new("homelab-access-x", &[]))).0,
        "names that begin with `homelab-access-` are those of `homelab access`"
    );
}

#[test]
fn accounts_that_pass_are_taken_out_again() {
    let mut users = users();
    users.add(&new("homelab-access-admin-1", &["admins"]), &Secret::new("x"));
    users.add(&new("homelab-access-user-1", &[]), &Secret::new("x"));
    assert_eq!(users.remove_passing(), ["homelab-access-admin-1", "homelab-access-user-1"]);
    assert_eq!(users.text().unwrap().reveal(), TEXT);
}

#[test]
fn no_list_of_users_is_told_without_its_text() {
    for text in ["", "users: 3\n", "users:\n  alex: secret\n", "users: [\n", "- $argon2id$\n"] {
        let (what, _) = refused(Users::parse(&Secret::new(text)));
        assert_eq!(what, format!("`{FILE}` is no list of users"));
    }
}
