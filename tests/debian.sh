#!/bin/sh
# Installs what tests need from Debian (tests/debian.txt); says nothing, in a few milliseconds, where all is there.
#
# Tests start programs of their own on free ports, so nothing of this may run as a service of the machine:
# no cluster is made, no service started, neither now nor at the next boot.
set -eu

LIST=$(dirname "$0")/debian.txt

end() {
    echo "$1" >&2
    exit 2
}

pins() {
    sed 's/#.*//' "$LIST" | tr -s '[:space:]' '\n' | grep .
}

there() { # these packages as package=version, of those that are installed
    dpkg-query --show --showformat='${db:Status-Status} ${Package}=${Version}\n' "$@" 2> /dev/null | sed -n 's/^installed //p'
}

missing() { # pins of what is not there, or older
    wanted=$(pins)
    there=$(there $(echo "$wanted" | sed 's/=.*//'))
    for pin in $wanted; do
        case $there in *"$pin"*) continue ;; esac
        version=$(echo "$there" | sed -n "s/^${pin%%=*}=//p")
        [ -n "$version" ] && dpkg --compare-versions "$version" ge "${pin#*=}" || echo "$pin"
    done
}

gone() { # pins that none of the machine's package sources has
    for pin in $1; do
        apt-cache madison "${pin%%=*}" 2> /dev/null | grep --quiet --fixed-strings " ${pin#*=} " || echo "$pin"
    done
}

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get --quiet=2 --yes --option=DPkg::Lock::Timeout=300 "$@"
}

keep_services_down() {
    policy=/usr/sbin/policy-rc.d
    clusters=/etc/postgresql-common/createcluster.d/no-cluster-for-tests.conf
    trap 'rm -f "$ours" "$clusters"' EXIT
    trap 'exit 130' INT TERM HUP
    ours=
    mkdir -p "${clusters%/*}"
    echo "create_main_cluster = false" > "$clusters"
    # A machine with a policy of its own keeps it. Ours means nothing any more once this process is gone.
    if [ ! -e "$policy" ]; then
        ours=$policy
        printf '#!/bin/sh\ntest -d /proc/%s && exit 101\nexit 0\n' $$ > "$policy"
        chmod 755 "$policy"
    fi
}

install() {
    wanted=$1
    [ -z "$(gone "$wanted")" ] || apt update
    lost=$(gone "$wanted")
    [ -z "$lost" ] || end "Tests need $(echo $lost), which no package source of this machine has (any more): add Debian 12's, or pin another version in tests/debian.txt."
    had_pooler=$(there pgbouncer)
    keep_services_down
    apt install --no-install-recommends $wanted > /dev/null
    [ -n "$had_pooler" ] || update-rc.d pgbouncer disable
}

command -v dpkg-query > /dev/null && command -v apt-get > /dev/null ||
    end "Tests need $(echo $(pins)) from Debian 12, and this machine has no apt-get to install them."
wanted=$(missing)
[ -n "$wanted" ] || exit 0
if [ "$(id -u)" != 0 ]; then
    command -v sudo > /dev/null && { sudo -n true 2> /dev/null || [ -t 0 ]; } ||
        end "Tests need $(echo $wanted) from Debian, which only root can install: run tests/debian.sh as root once."
    exec sudo -- sh "$0"
fi
echo "Installing from Debian what tests need: $(echo $wanted) ..."
install "$wanted"
