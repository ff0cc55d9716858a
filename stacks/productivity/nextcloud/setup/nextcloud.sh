# Sets Nextcloud up, as the user that its files belong to: `sh nextcloud.sh settings|login check|run`.
# Every part looks before it acts, so that it may be run at any time.
set -eu

authority=/etc/homelab-authority.pem
secret=/run/secrets/oidc-nextcloud
provider=homelab
discovery=$HOMELAB_PORTAL/.well-known/openid-configuration

occ() {
    php /var/www/html/occ --no-interaction "$@"
}

# The value of a setting; empty if it has none.
setting() {
    occ config:system:get "$1" ${2:+"$2"} 2>/dev/null || true
}

# `en_US.UTF-8` is spoken in US; phone numbers without a country are from there.
region() {
    country=${HOMELAB_LOCALE#*_}
    country=${country%%.*}
    case $country in
        [A-Z][A-Z]) echo "$country" ;;
    esac
}

# Nextcloud knows certificates by the name of their file. With the checksum in it, a new authority
# is another file.
authority_name() {
    set -- $(cksum <"$authority")
    echo "homelab-$1.pem"
}

# Only a box that is its own authority has the file.
authority_is_trusted() {
    test -s "$authority" || return 0
    case $(occ security:certificates --output=json) in
        *"$(authority_name)"*) return 0 ;;
        *) return 1 ;;
    esac
}

# What is a matter of taste need only be set; its owner may have set it otherwise.
settings_check() {
    test "$(occ config:app:get core backgroundjobs_mode)" = cron || return 1
    test -n "$(setting maintenance_window_start)" || return 1
    test "$(setting allow_local_remote_servers)" = true || return 1
    test "$(setting trusted_domains 1)" = "$OVERWRITEHOST" || return 1
    test -n "$(setting default_phone_region)" || test -z "$(region)" || return 1
    authority_is_trusted
}

settings_run() {
    occ background:cron
    if [ -z "$(setting maintenance_window_start)" ]; then
        # Heavy jobs run between 1 and 5 o'clock UTC.
        occ config:system:set maintenance_window_start --type=integer --value=1
    fi
    # The portal has a private address.
    occ config:system:set allow_local_remote_servers --type=boolean --value=true
    # The image sets it at the installation only; the domain may change later.
    occ config:system:set trusted_domains 1 --value="$OVERWRITEHOST"
    if [ -z "$(setting default_phone_region)" ] && [ -n "$(region)" ]; then
        occ config:system:set default_phone_region --value="$(region)"
    fi
    if ! authority_is_trusted; then
        copy=/tmp/$(authority_name)
        cp "$authority" "$copy"
        occ security:certificates:import "$copy"
        rm "$copy"
    fi
}

has_app() {
    occ app:getpath user_oidc >/dev/null 2>&1
}

can_fetch_apps() {
    curl --silent --head --output /dev/null --max-time 10 https://apps.nextcloud.com/
}

# Fulfilled, too, where nothing can be done about it: on a LAN without Internet a home server must
# come up all the same, and Nextcloud's own login works.
login_check() {
    if has_app; then
        test "$(setting user_oidc default_token_endpoint_auth_method)" = client_secret_post || return 1
        # JSON may write a slash with a backslash before it.
        occ user_oidc:provider "$provider" --output=json 2>/dev/null | tr -d '\\' |
            grep -qF "\"$discovery\""
    elif can_fetch_apps; then
        return 1
    else
        echo "The app user_oidc cannot be fetched now; only Nextcloud's own login works."
    fi
}

login_run() {
    has_app || occ app:install user_oidc
    occ app:enable user_oidc
    # The portal accepts the secret in the body, as its client is declared.
    occ config:system:set user_oidc default_token_endpoint_auth_method --value=client_secret_post
    # With plain names the admin's account is the one that the installation made.
    occ user_oidc:provider "$provider" \
        --clientid=nextcloud \
        --clientsecret-file="$secret" \
        --discoveryuri="$discovery" \
        --scope='openid email profile groups' \
        --unique-uid=0 \
        --mapping-uid=preferred_username \
        --mapping-display-name=name \
        --mapping-email=email
}

case "${1-} ${2-}" in
    'settings check' | 'settings run' | 'login check' | 'login run') "$1_$2" ;;
    *)
        echo "write: nextcloud.sh settings|login check|run" >&2
        exit 64
        ;;
esac
