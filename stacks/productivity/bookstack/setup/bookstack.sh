# Makes the owner BookStack's admin: `sh bookstack.sh check|run`, with the variables of the image's
# own supervision and as the user that its files belong to. It may be run at any time.
set -eu

check() {
    php /setup/bookstack.php
}

run() {
    # `--initial` turns the account that every new BookStack has (admin@admin.com) into the owner's.
    # Who comes from the portal under this name is that account; its password is one that nobody
    # knows. 2: there is another admin already.
    status=0
    php /app/www/artisan bookstack:create-admin --no-interaction --initial \
        --email="$HOMELAB_ADMIN_EMAIL" --name="$HOMELAB_ADMIN" \
        --external-auth-id="$HOMELAB_ADMIN" || status=$?
    test "$status" -eq 0 || test "$status" -eq 2 || return "$status"
    check
}

case "${1-}" in
    check | run) "$1" ;;
    *)
        echo "write: bookstack.sh check|run" >&2
        exit 64
        ;;
esac
