use super::*;

fn port(port: u16, protocol: Protocol, from: &[&str], comment: &str) -> PortRule {
    let from = from.iter().map(|net| net.parse().unwrap()).collect();
    PortRule { port, protocol, from, comment: comment.into() }
}

#[test]
fn the_docker_user_chain_for_both_families() {
    let published = [
        port(443, Protocol::Tcp, &[], "HTTPS"),
        port(443, Protocol::Tcp, &[], "HTTPS again"),
        port(53, Protocol::Udp, &["192.168.1.7/24", "fd00:99::/64"], "DNS"),
    ];
    assert_eq!(
        docker_user(&published, false),
        "# BEGIN homelab
*filter
:DOCKER-USER - [0:0]
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A DOCKER-USER -i docker0 -j RETURN
-A DOCKER-USER -i br-+ -j RETURN
-A DOCKER-USER -p tcp -m conntrack --ctstate DNAT --ctdir ORIGINAL --ctorigdstport 443 -j RETURN
-A DOCKER-USER -s 192.168.1.0/24 -p udp -m conntrack --ctstate DNAT --ctdir ORIGINAL --ctorigdstport 53 -j RETURN
-A DOCKER-USER -j DROP
COMMIT
# END homelab
"
    );
    assert_eq!(
        docker_user(&published, true),
        "# BEGIN homelab
*filter
:DOCKER-USER - [0:0]
-A DOCKER-USER -m conntrack --ctstate RELATED,ESTABLISHED -j RETURN
-A DOCKER-USER -i docker0 -j RETURN
-A DOCKER-USER -i br-+ -j RETURN
-A DOCKER-USER -p tcp -m conntrack --ctstate DNAT --ctdir ORIGINAL --ctorigdstport 443 -j RETURN
-A DOCKER-USER -s fd00:99::/64 -p udp -m conntrack --ctstate DNAT --ctdir ORIGINAL --ctorigdstport 53 -j RETURN
-A DOCKER-USER -j DROP
COMMIT
# END homelab
"
    );
}

#[test]
fn nothing_published_is_nothing_let_in() {
    let text = docker_user(&[], false);
    assert_eq!(text.matches("RETURN").count(), 3, "{text}");
    assert!(text.contains("-A DOCKER-USER -j DROP\nCOMMIT\n"));
}

/// The texts on the right are what UFW 0.36.2 showed for these arguments.
#[test]
fn rules_as_ufw_takes_and_shows_them() {
    let firewall = Firewall {
        host: vec![port(22, Protocol::Tcp, &["192.168.1.9/24", "10.1.2.3/32", "fd00::/64"], "SSH")],
        published: vec![
            port(443, Protocol::Tcp, &[], "the proxy's HTTPS"),
            port(22, Protocol::Tcp, &["10.1.2.3/32"], "again"),
        ],
    };
    let rules = wanted(&firewall);
    let shown: Vec<&str> = rules.iter().map(|rule| &*rule.shown).collect();
    assert_eq!(
        shown,
        [
            "allow from 192.168.1.0/24 to any port 22 proto tcp",
            "allow from 10.1.2.3 to any port 22 proto tcp",
            "allow from fd00::/64 to any port 22 proto tcp",
            "allow 443/tcp",
        ]
    );
    assert_eq!(
        rules[0].arguments.join(" "),
        "allow proto tcp from 192.168.1.0/24 to any port 22 comment homelab: SSH"
    );
    assert_eq!(
        rules[3].arguments.join(" "),
        "allow proto tcp from any to any port 443 comment homelab: the proxy’s HTTPS"
    );
}

#[test]
fn what_ufw_shows_is_read() {
    let text = "Added user rules (see 'ufw status' for running firewall):\n\
                ufw allow from 192.168.1.0/24 to any port 22 proto tcp comment 'homelab: SSH'\n\
                ufw allow 8080 comment 'mine'\nufw limit 2222/tcp\n";
    let added = parse_added(text);
    let seen: Vec<(&str, &str, bool)> =
        added.iter().map(|a| (&*a.rule, &*a.comment, a.ours())).collect();
    assert_eq!(
        seen,
        [
            ("allow from 192.168.1.0/24 to any port 22 proto tcp", "homelab: SSH", true),
            ("allow 8080", "mine", false),
            ("limit 2222/tcp", "", false),
        ]
    );
    assert_eq!(parse_added("Added user rules (see …):\n(None)\n"), []);
}

#[test]
fn a_block_replaces_the_earlier_one() {
    let shipped = "*filter\n:ufw-after-input - [0:0]\nCOMMIT\n";
    let first = with_block(shipped, "# BEGIN homelab\none\n# END homelab\n");
    assert_eq!(
        first,
        "*filter\n:ufw-after-input - [0:0]\nCOMMIT\n\n# BEGIN homelab\none\n# END homelab\n"
    );
    assert_eq!(with_block(&first, "# BEGIN homelab\none\n# END homelab\n"), first);
    let own = format!("{first}# mine\n");
    assert_eq!(
        with_block(&own, "# BEGIN homelab\ntwo\n# END homelab\n"),
        "*filter\n:ufw-after-input - [0:0]\nCOMMIT\n\n# mine\n\n\
         # BEGIN homelab\ntwo\n# END homelab\n"
    );
}

#[test]
fn a_setting_stands_once() {
    assert_eq!(with_setting("# x\nIPV6=no\nA=1\nIPV6=no\n", "IPV6", "yes"), "# x\nIPV6=yes\nA=1\n");
    assert_eq!(with_setting("A=1\n", "IPV6", "yes"), "A=1\nIPV6=yes\n");
}
