#!/bin/sh
# Installs what a fresh Debian machine lacks when root; otherwise says in one line what to type.
#   deploy/setup.sh postgresql   PostgreSQL's programs, 14 or newer
#   deploy/setup.sh python       Python with venv, for the API tests
#   deploy/setup.sh pgbouncer    A pooler, for the fault tests
#   deploy/setup.sh node [wanted]  Node 20.19, 22.12 or newer; fails without it, unless it is only wanted
#   deploy/setup.sh curl         curl, for the examples of the README, which are tests too
#   deploy/setup.sh chromium     A browser, for the tests of what runs in browsers
#   deploy/setup.sh proxies      nginx and HAProxy, and OpenSSL for their certificate, for the fault tests
set -eu

install() { # what for, packages …
    what=$1
    shift
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "$what is missing. Type: sudo apt-get install -y $*   (or your system's packages of the same name)" >&2
        exit 1
    fi
    echo "installing $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Only programs are wanted: no service of the system's own that starts and takes a port.
start_no_services() {
    policy=/usr/sbin/policy-rc.d
    if [ "$(id -u)" = 0 ] && [ ! -e $policy ]; then
        printf '#!/bin/sh\nexit 101\n' >$policy
        chmod +x $policy
        trap 'rm -f "$policy"' EXIT
    fi
}

is_missing() { # program, which may be in a folder that only root looks into
    ! command -v "$1" >/dev/null && [ ! -x "/usr/sbin/$1" ]
}

case $1 in
postgresql)
    command -v cargo >/dev/null || { echo "Rust is missing: https://rustup.rs" >&2; exit 1; }
    command -v cc >/dev/null || install "A C compiler" gcc libc6-dev
    if [ -z "${SIGNALBOX_PG_BIN:-}${DATABASE_URL:-}" ] && ! command -v initdb >/dev/null &&
        ! ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; then
        install "PostgreSQL" postgresql-common
        # Only the programs are wanted, not a cluster of the system's own that listens on port 5432.
        sed -i 's/^#\?create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
        install "PostgreSQL" postgresql
    fi
    ;;
python)
    command -v python3 >/dev/null || install "Python" python3 python3-venv
    python3 -c 'import venv, ensurepip' 2>/dev/null || install "Python's venv" python3-venv
    ;;
node)
    # What the bundler and the linter ask for.
    new='[a, b] = process.versions.node.split("."); process.exit(a > 22 || (a == 22 && b >= 12) || (a == 20 && b >= 19) ? 0 : 1)'
    if ! node -e "$new" 2>/dev/null || ! command -v npm >/dev/null; then
        echo "Node 20.19, 22.12 or newer, with npm, is missing: https://nodejs.org (for what runs in browsers, and for its tests)" >&2
        [ "${2:-}" = wanted ] || exit 1
    fi
    ;;
curl)
    command -v curl >/dev/null || install "curl" curl
    ;;
chromium)
    [ -n "${CHROMIUM:-}" ] || command -v chromium >/dev/null || install "Chromium (or set CHROMIUM)" chromium
    ;;
pgbouncer)
    if is_missing pgbouncer; then
        start_no_services
        install "PgBouncer" pgbouncer
    fi
    ;;
proxies)
    if is_missing nginx || is_missing haproxy || is_missing openssl; then
        start_no_services
        install "nginx, HAProxy or OpenSSL" nginx haproxy openssl
    fi
    ;;
esac
