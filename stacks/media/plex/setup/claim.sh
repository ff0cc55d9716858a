#!/bin/sh
# Claims this Plex server for the account that the code comes from. Run it on the box:
#
#   sudo docker exec -it plex sh /setup/claim.sh
set -eu

at=http://127.0.0.1:32400

is_claimed() {
    curl --fail --silent --show-error --max-time 10 "$at/identity" | grep -q 'claimed="1"'
}

if is_claimed; then
    echo "This server is claimed already."
    exit 0
fi
echo "Open https://plex.tv/claim, log in, and enter the code within four minutes."
printf 'Code: '
read -r code
case $code in
claim-*[!A-Za-z0-9_-]* | claim-) code= ;;
claim-*) ;;
*) code= ;;
esac
if test -z "$code"; then
    echo "That is no code; one looks like claim-abcDEF123." >&2
    exit 1
fi
# By standard input, since arguments can be seen by every process.
printf 'url = "%s/myplex/claim?token=%s"\n' "$at" "$code" |
    curl --fail --silent --show-error --max-time 60 --request POST --output /dev/null --config -
for _ in 1 2 3 4 5 6 7 8 9 10; do
    if is_claimed; then
        echo "Done: this server is yours."
        exit 0
    fi
    sleep 1
done
echo "Plex did not take the code; get a new one and try again." >&2
exit 1
