# SPDX-License-Identifier: Apache-2.0
# What fetch-src.sh and fetch-deb.sh share (sourced): the download cache, the check of a file's sha256, the
# mirrors this machine's own apt uses, and a private apt root. Any user, no root; nothing under /etc/apt,
# /var/lib/apt or /var/cache/apt is touched. Every file is checked against its pin each time it is used.
#   HOSPES_CACHE=dir    the cache (default ~/.cache/hospes); downloads are in its dl/, shared by all clones
#   TP_DISTFILES=dir    look there first (air-gapped use, CI cache)
#   TP_OFFLINE=1        never use the network
#   TP_MIRROR='URI...'  Debian mirrors to use instead of those this machine's apt knows

cache=${HOSPES_CACHE:-${XDG_CACHE_HOME:-${HOME:-/tmp/hospes-$(id -u)}/.cache}/hospes}
mkdir -p "$cache/dl"
cache=$(cd "$cache" && pwd)
self=$(basename "$0")

die() { printf '%s: %s\n' "$self" "$*" >&2; exit 1; }
good() { [ -f "$1" ] && echo "$2  $1" | sha256sum -c --status - 2>/dev/null; }

# lock NAME: one at a time, also under make -j and between clones; held until the script ends
lock() {
    exec 9>"$cache/$1.lock"
    flock 9
}

# have FILE SUM: the file is in the cache, or was in TP_DISTFILES and now is
have() {
    good "$cache/dl/$1" "$2" && return 0
    [ -n "${TP_DISTFILES:-}" ] && good "$TP_DISTFILES/$1" "$2" || return 1
    cp "$TP_DISTFILES/$1" "$cache/dl/$1.tmp.$$" && mv "$cache/dl/$1.tmp.$$" "$cache/dl/$1"
}

# apt_files: the source lists of this machine, .list and .sources
apt_files() {
    eval "$(apt-config shell SL Dir::Etc::sourcelist/f SP Dir::Etc::sourceparts/d)"
    for f in "$SL" "$SP"*.list "$SP"*.sources; do
        [ ! -r "$f" ] || echo "$f"
    done
}

# mirrors: base URIs of the Debian archives that this machine's apt is set up with
mirrors() {
    if [ -n "${TP_MIRROR:-}" ]; then
        printf '%s\n' $TP_MIRROR
        return
    fi
    apt_files | while read -r f; do
        sed -E 's/#.*//' "$f" | tr ' \t' '\n\n' | grep -E '^(https?|ftp|file):.*/debian/?$' || :
    done | sed 's,/$,,' | awk '!seen[$0]++'
}

# patient FILE LOG COMMAND...: runs it with its words in LOG; says every 20 s how large FILE has grown
patient() {
    growing=$1 log=$2
    shift 2
    "$@" >"$log" 2>&1 9>&- &
    pid=$! waited=0
    trap 'kill $pid; exit 130' INT TERM HUP
    while kill -0 $pid 2>/dev/null; do
        sleep 0.2
        waited=$((waited + 1))
        [ $((waited % 100)) != 0 ] || [ ! -f "$growing" ] ||
            echo "  FETCH   $((waited / 5)) s: $(($(wc -c < "$growing") >> 20)) MiB" >&2
    done
    trap - INT TERM HUP
    wait $pid
}

# pool_get PATH FILE SUM: straight from a mirror's pool, no index needed: the pin says what is right
pool_get() {
    for m in $(mirrors); do
        if patient "$cache/dl/$2.part.$$" "$cache/dl/.log.$$" /usr/lib/apt/apt-helper -qq -o APT::Sandbox::User="" -o Acquire::Retries=3 \
            download-file "$m/$1" "$cache/dl/$2.part.$$" "SHA256:$3" &&
            good "$cache/dl/$2.part.$$" "$3"; then
            mv "$cache/dl/$2.part.$$" "$cache/dl/$2"
            rm -f "$cache/dl/.log.$$"
            return 0
        fi
    done
    rm -f "$cache/dl/$2.part.$$"* "$cache/dl/$2.part.$$.FAILED" "$cache/dl/.log.$$"
    return 1
}

# private_apt NAME: an apt root of our own in $cache/apt/NAME ($a); q CMD... runs an apt tool in it.
# -c is read after /etc/apt/apt.conf.d (APT_CONFIG would be before it): the machine's proxy settings hold,
# ours win, and #clear really drops its update hooks.
private_apt() {
    a=$cache/apt/$1
    mkdir -p "$a/lists/partial" "$a/archives/partial" "$a/sources.d" "$a/tmp"
    : > "$a/status"
    cat > "$a/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$a/sources.d/";
Dir::State::lists "$a/lists/";
Dir::Cache "$a/";
Dir::Cache::archives "$a/archives/";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::Retries "3";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
CONF
}
q() { c=$1; shift; TMPDIR=$a/tmp "$c" -c "$a/apt.conf" "$@"; }
