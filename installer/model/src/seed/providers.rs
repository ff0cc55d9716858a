//! DNS providers that the setup can ask for by name, with what each wants to know.
//!
//! Names and variables are those of the ACME library that the proxy uses
//! (<https://go-acme.github.io/lego/dns/>), one way to log in for each. Any other provider of that
//! library works too; its owner looks the variables up there.

/// A provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    /// As `domain.dns.provider` names it.
    pub code: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// Its variables, each with what it is.
    pub variables: &'static [(&'static str, &'static str)],
}

/// The one that is asked for by itself: it gives away names below its own.
pub const DUCKDNS: Provider = provider("duckdns", "DuckDNS", &[("DUCKDNS_TOKEN", "Account token")]);

/// The others, by name.
#[rustfmt::skip]
pub const PROVIDERS: &[Provider] = &[
    provider("route53", "Amazon Route 53", &[("AWS_ACCESS_KEY_ID", "Access key ID"), ("AWS_SECRET_ACCESS_KEY", "Secret access key"), ("AWS_REGION", "Region")]),
    provider("azuredns", "Azure DNS", &[("AZURE_TENANT_ID", "Tenant ID"), ("AZURE_CLIENT_ID", "Client ID"), ("AZURE_CLIENT_SECRET", "Client secret")]),
    provider("cloudflare", "Cloudflare", &[("CF_DNS_API_TOKEN", "API token with the permission DNS:Edit")]),
    provider("cloudns", "ClouDNS", &[("CLOUDNS_AUTH_ID", "API user ID"), ("CLOUDNS_AUTH_PASSWORD", "Password of the API user")]),
    provider("desec", "deSEC", &[("DESEC_TOKEN", "Domain token")]),
    provider("digitalocean", "DigitalOcean", &[("DO_AUTH_TOKEN", "Authentication token")]),
    provider("dnsimple", "DNSimple", &[("DNSIMPLE_OAUTH_TOKEN", "OAuth token")]),
    provider("dynu", "Dynu", &[("DYNU_API_KEY", "API key")]),
    provider("gandiv5", "Gandi", &[("GANDIV5_PERSONAL_ACCESS_TOKEN", "Personal access token")]),
    provider("godaddy", "GoDaddy", &[("GODADDY_API_KEY", "API key"), ("GODADDY_API_SECRET", "API secret")]),
    provider("hetzner", "Hetzner", &[("HETZNER_API_TOKEN", "API token")]),
    provider("infomaniak", "Infomaniak", &[("INFOMANIAK_ACCESS_TOKEN", "Access token")]),
    provider("inwx", "INWX", &[("INWX_USERNAME", "User name"), ("INWX_PASSWORD", "Password")]),
    provider("ionos", "IONOS", &[("IONOS_API_KEY", "API key, as prefix.secret")]),
    provider("ipv64", "IPv64", &[("IPV64_API_KEY", "Account API key")]),
    provider("linode", "Linode", &[("LINODE_TOKEN", "API token")]),
    provider("namedotcom", "Name.com", &[("NAMECOM_USERNAME", "User name"), ("NAMECOM_API_TOKEN", "API token")]),
    provider("namecheap", "Namecheap", &[("NAMECHEAP_API_USER", "API user"), ("NAMECHEAP_API_KEY", "API key")]),
    provider("netcup", "netcup", &[("NETCUP_CUSTOMER_NUMBER", "Customer number"), ("NETCUP_API_KEY", "API key"), ("NETCUP_API_PASSWORD", "API password")]),
    provider("njalla", "Njalla", &[("NJALLA_TOKEN", "API token")]),
    provider("ovh", "OVH", &[("OVH_ENDPOINT", "Endpoint, ovh-eu or ovh-ca"), ("OVH_APPLICATION_KEY", "Application key"), ("OVH_APPLICATION_SECRET", "Application secret"), ("OVH_CONSUMER_KEY", "Consumer key")]),
    provider("porkbun", "Porkbun", &[("PORKBUN_API_KEY", "API key"), ("PORKBUN_SECRET_API_KEY", "Secret API key")]),
    provider("vultr", "Vultr", &[("VULTR_API_KEY", "API key")]),
];

const fn provider(
    code: &'static str,
    name: &'static str,
    variables: &'static [(&'static str, &'static str)],
) -> Provider {
    Provider { code, name, variables }
}

/// The provider of this code, if the table has it.
pub fn find(code: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.code == code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::rules;

    #[test]
    fn the_parser_takes_every_provider_and_variable() {
        for provider in PROVIDERS.iter().chain([&DUCKDNS]) {
            assert_eq!(rules::value("domain.dns.provider", provider.code), Ok(()));
            assert!(!provider.variables.is_empty(), "{}", provider.code);
            for (variable, _) in provider.variables {
                assert_eq!(rules::value("domain.dns.credentials", variable), Ok(()));
            }
        }
        let names: Vec<String> = PROVIDERS.iter().map(|p| p.name.to_lowercase()).collect();
        assert!(names.is_sorted(), "people look for a name: {names:?}");
    }
}
