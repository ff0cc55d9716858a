//! Where things lie on the box. The image builder, the installer and the tests share these.

/// The sealed seed: the accepted wish, mode 0600.
pub const SEED: &str = "/etc/homelab/seed.toml";
/// One file a secret, folder 0700, files 0600.
pub const SECRETS: &str = "/etc/homelab/secrets";
/// The box's own certificate authority: `ca.pem` (0644) and `ca.key` (0600).
pub const AUTHORITY: &str = "/etc/homelab/ca";
/// The public authorities that Debian trusts, one file (package `ca-certificates`).
pub const PUBLIC_AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The owner's own stacks, one folder each, in the form of the catalogue's.
pub const OWN_STACKS: &str = "/etc/homelab/stacks";
/// Artefacts that the owner put there by hand; they win over the image's.
pub const OWN_ARTEFACTS: &str = "/etc/homelab/artefacts";
/// Journal, plan, report and what was rendered.
pub const STATE: &str = "/var/lib/homelab";
/// What was answered in a setup that is not at its end, passwords among it; mode 0600. Gone as soon
/// as there is a sealed seed.
pub const ANSWERS: &str = "/var/lib/homelab/answers.json";
/// Which steps of which plan are done.
pub const JOURNAL: &str = "/var/lib/homelab/journal.json";
/// The report of the last run.
pub const REPORT: &str = "/var/lib/homelab/report.json";
/// Keys of encrypted disks, folder 0700, files 0600.
pub const KEYS: &str = "/etc/homelab/keys";
/// Notes of the disks that the box formatted, one file each.
pub const FORMATTED: &str = "/var/lib/homelab/disks";
/// One file a stack, there from its turn at the start of the box on, and as long as the volumes that it
/// needs are mounted. Each of its containers binds it, so none can be started without, whoever
/// tries: Docker itself after a power cut, a visitor's request, a person. Below `/run`: a restart
/// forgets it.
pub const STACK_MARKS: &str = "/run/homelab/stacks";
/// The catalogue as it was baked into the image.
pub const CATALOGUE: &str = "/usr/share/homelab/stacks";
/// Artefacts that the image carries.
pub const ARTEFACTS: &str = "/usr/share/homelab/artefacts";
/// What the image is: packages, files, digests, seed schema.
pub const MANIFEST: &str = "/usr/share/homelab/manifest.json";
/// The rendered stacks: ordinary Compose projects.
pub const STACKS: &str = "/opt/stacks";
/// What the node exporter of the monitoring stack is told of the disks, in Prometheus's text format.
/// Its folder is there as long as that stack is.
pub const DISK_METRICS: &str = "/opt/stacks/monitoring/node-exporter/textfile/disks.prom";
/// The socket on which `homelab setup` hands its terminal to the installer; its folder is root's.
pub const SETUP_SOCKET: &str = "/run/homelab/setup/socket";
/// The virtio-serial port on which a virtual machine hears our events as JSON lines.
pub const EVENT_PORT: &str = "/dev/virtio-ports/org.homelab.events";
/// The name of that port, as the virtual machine monitor must give it.
pub const EVENT_PORT_NAME: &str = "org.homelab.events";

/// Numbers and labels of the image's partitions (GPT). SEED lies below root on the disk although
/// its number is higher, so that root can grow to the end.
pub mod partition {
    /// GRUB's core image.
    pub const BIOS_BOOT: u32 = 1;
    /// EFI system partition: shim, GRUB, `grub.cfg`, the environment block. FAT32.
    pub const EFI: u32 = 2;
    /// The root file system, ext4, last on the disk.
    pub const ROOT: u32 = 3;
    /// `seed.toml`, a readme and the report. FAT, shown by any PC.
    pub const SEED: u32 = 4;
    /// Volume label of the SEED partition.
    pub const SEED_LABEL: &str = "SEED";
    /// Volume label of a removable medium that carries a seed.
    pub const REMOVABLE_SEED_LABEL: &str = "HOMELAB-SEED";
    /// The seed's file name on either.
    pub const SEED_FILE: &str = "seed.toml";
    /// What a system that was copied here from a stick says of that: a line of it is the digest of the
    /// seed that asked for the copy. Lies on the SEED partition.
    pub const COPY_NOTE: &str = "copied.txt";
    /// GRUB's environment block, as a path inside the EFI partition.
    pub const GRUB_ENVIRONMENT: &str = "EFI/debian/grubenv";
}
