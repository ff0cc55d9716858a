# Sets Gitea up, as the user that it runs as: `sh gitea.sh admin|login check|run`.
# Every part looks before it acts, so that it may be run at any time.
set -eu

# Part of the address that the portal sends people back to.
source=homelab
discovery=$HOMELAB_PORTAL/.well-known/openid-configuration
# Gitea's list does not show a source's address, so what was entered last is written down here.
entered=/var/lib/gitea/homelab-login

# Any admin will do: the owner may have renamed theirs. The first line of the table is its head.
admin_check() {
    gitea admin user list --admin | sed 1d | grep -q .
}

create_admin() {
    gitea admin user create --admin \
        --username "$1" \
        --email "$HOMELAB_ADMIN_EMAIL" \
        --password "$(cat /run/secrets/gitea-admin-password)" \
        --must-change-password=false
}

# Gitea keeps some names for its own pages, `admin` among them.
admin_run() {
    answer=$(create_admin "$HOMELAB_ADMIN" 2>&1) && return 0
    case $answer in
        *'name is reserved'*) create_admin "homelab-$HOMELAB_ADMIN" ;;
        *)
            echo "$answer" >&2
            return 1
            ;;
    esac
}

# Number of our login source; empty if there is none.
source_id() {
    gitea admin auth list | sed -n "s/^[[:space:]]*\([0-9]*\)[[:space:]]*$source[[:space:]].*/\1/p"
}

login_check() {
    test -n "$(source_id)" && test "$(cat "$entered" 2>/dev/null)" = "$discovery"
}

login_run() {
    id=$(source_id)
    if [ -n "$id" ]; then
        set -- update-oauth --id "$id"
    else
        set -- add-oauth
    fi
    set -- "$@" --name "$source" --provider openidConnect --key gitea \
        --secret "$(cat /run/secrets/oidc-gitea)" --auto-discover-url "$discovery" \
        --group-claim-name groups --admin-group admins
    # Gitea asks the portal before it believes us, and the portal may have been started just now.
    tries=12
    until gitea admin auth "$@"; do
        tries=$((tries - 1))
        test "$tries" -gt 0 || return 1
        sleep 5
    done
    echo "$discovery" >"$entered"
}

case "${1-} ${2-}" in
    'admin check' | 'admin run' | 'login check' | 'login run') "$1_$2" ;;
    *)
        echo "write: gitea.sh admin|login check|run" >&2
        exit 64
        ;;
esac
