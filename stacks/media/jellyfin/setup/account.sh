#!/bin/sh
# Goes through Jellyfin's first-run wizard: the owner's account and the libraries.
#
#   account.sh check    is it done?
#   account.sh run      do it
#
# Until it is done Jellyfin lets everybody in, so the calls need no login. They can be repeated: what a
# cut left half-way is done again. The password goes to curl by its standard input, since arguments can
# be seen by every process.
set -eu

at=http://127.0.0.1:8096

call() { # METHOD PATH; the body comes by standard input
    method=$1 path=$2
    shift 2
    curl --fail --silent --show-error --max-time 60 --request "$method" "$@" "$at$path"
}

send() { # PATH, BODY
    printf '%s' "$2" | call POST "$1" --header 'Content-Type: application/json' --data-binary @-
}

is_done() {
    # While it starts, another small server answers here, which writes this key in small letters.
    call GET /System/Info/Public 2>/dev/null | grep -q '"StartupWizardCompleted":true'
}

library() { # NAME, TYPE, FOLDER
    known=$(call GET /Library/VirtualFolders)
    case $known in
    *"\"$3\""*) return ;;
    esac
    send "/Library/VirtualFolders?name=$1&collectionType=$2&refreshLibrary=false" \
        "{\"LibraryOptions\":{\"EnableRealtimeMonitor\":true,\"PathInfos\":[{\"Path\":\"$3\"}]}}"
}

case ${1:-} in
check)
    is_done
    ;;
run)
    if is_done; then exit 0; fi
    locale=${HOMELAB_LOCALE%%.*}
    case $locale in
    ??_??) language=${locale%_*} country=${locale#*_} ;;
    *) language=en country=US ;;
    esac
    # The languages that Jellyfin has with a country only.
    case $language in
    en) culture=en-US ;;
    zh) culture=zh-$country ;;
    *) culture=$language ;;
    esac
    # Asking for the first user makes it.
    call GET /Startup/User >/dev/null
    send /Startup/Configuration "{\"ServerName\":\"$HOMELAB_HOSTNAME\",\"UICulture\":\"$culture\",\"MetadataCountryCode\":\"$country\",\"PreferredMetadataLanguage\":\"$language\"}"
    password=$(cat /run/secrets/jellyfin-admin-password)
    send /Startup/User "{\"Name\":\"$HOMELAB_ADMIN\",\"Password\":\"$password\"}"
    library Movies movies /media/movies
    library Series tvshows /media/series
    send /Startup/RemoteAccess '{"EnableRemoteAccess":true,"EnableAutomaticPortMapping":false}'
    call POST /Startup/Complete --data ''
    is_done
    ;;
*)
    echo "usage: account.sh check|run" >&2
    exit 64
    ;;
esac
