#!/usr/bin/env bash
# Tries README's two commands as a new user would, on a minimal Debian made for it: that nothing is missing from set-up, and that this
# release's compiler and libraries build what passes the tests.
#
#   scripts/try_distribution.sh bookworm|trixie [--dir DIR] [--compiler CXX] [--search "FLAGS"] [--tests "ARGUMENTS"]
#
# --dir DIR       where the system goes; it stays, and is used again with what is installed in it  [a folder that is removed]
# --compiler CXX  another compiler than the release's g++: g++-13, clang++-19
# --search FLAGS  the flags of scripts/search.sh  [--budget-time 1m --data synthetic:6000, in place of ten minutes on CIFAR-10]
# --tests ARGS    the arguments of scripts/test.sh, e.g. "-L unit"  [none: every test]
#
# The checkout's last commit is what is tried. Wants root, debootstrap and git. Packages come from where this machine's apt takes
# them, with its settings and certificates. With ACTSEARCH_DATA=DIR the tests read real CIFAR-10 from there. The last lines say what was
# tried on what and what passed; the exit code is 1 if something failed.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

usage() { sed -n '/^set /q;2,$s/^# \{0,1\}//p' "$0"; }
fail() {
  echo "try_distribution: $*" >&2
  exit 2
}
[[ ${1:-} != -h && ${1:-} != --help ]] || { usage; exit 0; }
release=${1:-}
[[ $release == bookworm || $release == trixie ]] || { usage >&2; exit 2; }
shift
system='' compiler='' search='--budget-time 1m --data synthetic:6000' tests=''
while (($# > 0)); do
  (($# > 1)) || fail "$1 wants a value"
  case $1 in
    --dir) system=$2 ;;
    --compiler) compiler=$2 ;;
    --search) search=$2 ;;
    --tests) tests=$2 ;;
    *) fail "unknown argument $1" ;;
  esac
  shift 2
done
((EUID == 0)) || fail "wants root, for debootstrap and chroot"
for program in debootstrap git unshare; do
  command -v "$program" >/dev/null || fail "$program is not here: apt-get install debootstrap git util-linux"
done

if [[ -z $system ]]; then
  system=$(mktemp -d "${TMPDIR:-/tmp}/try_distribution.XXXXXX")
  # What is mounted in it is mounted for the programs in it alone (inside, below), so nothing of this machine hangs there.
  trap 'rm -rf --one-file-system "$system"' EXIT
fi
mkdir -p "$system"
system=$(cd "$system" && pwd)

# The first of this machine's mirrors that has the release.
mirror() {
  local site
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u | while read -r site; do
    if /usr/lib/apt/apt-helper download-file "${site%/}/dists/$release/Release" "$system/.Release" >/dev/null 2>&1; then
      rm -f "$system/.Release"
      echo "$site"
      break
    fi
  done
}

# inside COMMAND: bash runs it in the system, with nothing of this machine's environment but the way to the network.
inside() {
  local name environment=(HOME=/root LANG=C.UTF-8 TERM="${TERM:-dumb}" PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin)
  for name in http_proxy https_proxy no_proxy HTTP_PROXY HTTPS_PROXY NO_PROXY; do
    [[ -z ${!name:-} ]] || environment+=("$name=${!name}")
  done
  [[ -z $compiler ]] || environment+=("CXX=$compiler")
  [[ ! -d ${ACTSEARCH_DATA:-} ]] || environment+=(ACTSEARCH_DATA=/mnt)
  unshare --mount --propagation private bash -euc '
    system=$1 data=$2
    mount -t proc proc "$system/proc"
    mount --rbind /dev "$system/dev"
    mount --rbind /sys "$system/sys"
    [[ -z $data ]] || mount --bind "$data" "$system/mnt"
    exec env -i "${@:4}" chroot "$system" bash -c "$3"' inside "$system" "$([[ ! -d ${ACTSEARCH_DATA:-} ]] || echo "$ACTSEARCH_DATA")" "$1" "${environment[@]}"
}

results=() failed=0
# step NAME COMMAND…: runs it, and keeps how it ended.
step() {
  local name=$1 started=$SECONDS
  shift
  echo "try_distribution: $release: $name" >&2
  if "$@"; then
    results+=("passed  $name, $((SECONDS - started)) s")
  else
    results+=("FAILED  $name, exit code $?, $((SECONDS - started)) s")
    failed=1
  fi
}

make_system() {
  local from include=()
  from=$(mirror)
  [[ -n $from ]] || fail "none of this machine's mirrors has $release"
  [[ $from != https:* ]] || include=(--include=ca-certificates)
  debootstrap --variant=minbase "${include[@]}" "$release" "$system" "$from" >"$system/debootstrap.log" 2>&1 || return
  mkdir -p "$system/usr/local/share/ca-certificates"
  find /usr/local/share/ca-certificates -name '*.crt' -exec cp {} "$system/usr/local/share/ca-certificates/" \;
  if [[ -d /etc/apt/auth.conf.d ]]; then cp -r /etc/apt/auth.conf.d "$system/etc/apt/"; fi
  # Of apt's settings those that say how to fetch: a proxy, certificates, a mirror whose dates are old.
  apt-config dump | grep -E '^Acquire::(https?|Retries|Check|ForceIP)' >"$system/etc/apt/apt.conf.d/99host" || true
}
if [[ ! -e $system/made ]]; then
  step "a minimal system" make_system
  ((failed == 0)) || { tail -n 20 "$system/debootstrap.log" >&2; exit 1; }
  touch "$system/made"
fi
cp -L /etc/resolv.conf "$system/etc/resolv.conf"
rm -rf "$system/root/actsearch"
git clone --quiet --no-local "$root" "$system/root/actsearch"
if [[ -n $compiler ]]; then
  packages=${compiler//++/}
  case $compiler in
    clang*) packages="$packages libomp-${compiler##*-}-dev" ;;
    *) packages=$compiler ;;
  esac
  step "$packages" inside "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $packages"
fi

((failed > 0)) || step "./scripts/search.sh $search" inside "cd ~/actsearch && ./scripts/search.sh $search"
((failed > 0)) || step "./scripts/test.sh $tests" inside "cd ~/actsearch && ./scripts/test.sh $tests"

{
  echo
  inside 'printf "%s, %s, %s, " "$(. /etc/os-release; echo "$PRETTY_NAME")" "$(${CXX:-c++} --version | head -n 1)" "$(cmake --version | head -n 1)"
    dpkg-query -W -f "\${source:Package} \${source:Upstream-Version}, " libdnnl-dev libcpp-httplib-dev libeigen3-dev libsqlite3-dev libtbb-dev
    grep -m 1 "^model name" /proc/cpuinfo | sed "s/.*: //"'
  echo "commit $(git -C "$system/root/actsearch" rev-parse --short=12 HEAD)$([[ -z $(git -C "$root" status --porcelain) ]] || echo ', without what is not committed')"
  printf '%s\n' "${results[@]}"
} >&2
exit $failed
