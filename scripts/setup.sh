#!/usr/bin/env bash
# Installs the Debian packages that actsearch is built with, only those that are missing.
#
#   scripts/setup.sh [--check] [--with-images] [--with-torch] [--with-browser] [--with-frameworks]
#
# --check        prints what is there and what is missing, installs nothing; exit code 1 if something is missing
# --with-images  also NumPy and Pillow for python3, which .ci/run unpacks images with
# --with-torch   also PyTorch for python3, which bench/compare.sh measures and tests/export runs exports in
# --with-browser also Chromium and its driver (125 MB to fetch), in which the tests open the pages of report and serve
# --with-frameworks
#                also a Python environment in build/frameworks (1 GB) with the other frameworks that tests/export runs exports in: ONNX
#                Runtime, JAX, Flax, Keras, SymPy (tests/export/requirements.txt), from the Python Package Index
#
# ACTSEARCH_SKIP_SETUP=1 says that everything is there already (from another package manager, say).
set -euo pipefail

packages=(
  g++ cmake ninja-build git                                       # build
  libeigen3-dev libtbb-dev libdnnl-dev ocl-icd-opencl-dev         # arrays, threads, convolutions (whose CMake package looks for OpenCL)
  libsqlite3-dev libboost-program-options-dev nlohmann-json3-dev  # leaderboard, command line
  libcairo2-dev fonts-dejavu-core                                 # PNG pictures
  libcpp-httplib-dev pkg-config                                   # the served page
  libgtest-dev libbenchmark-dev                                   # tests, benchmarks
  curl ca-certificates python3                                    # fetching CIFAR-10, checks and comparisons
)
check=false
frameworks=false
for argument in "$@"; do
  case $argument in
    --check) check=true ;;
    --with-images) packages+=(python3-numpy python3-pil) ;;
    --with-torch) packages+=(python3-torch python3-numpy) ;;
    --with-browser) packages+=(chromium chromium-driver) ;;
    --with-frameworks) frameworks=true && packages+=(python3-venv) ;;
    -h | --help) sed -n '/^set /q;2,$s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "setup.sh: unknown argument $argument (known: --check, --with-images, --with-torch, --with-browser, --with-frameworks)" >&2; exit 2 ;;
  esac
done

if [[ ${ACTSEARCH_SKIP_SETUP:-} == 1 ]]; then
  echo "setup: skipped, as ACTSEARCH_SKIP_SETUP=1 asks" >&2
  exit 0
fi
if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
  {
    echo "setup: no apt here. Install what corresponds to these Debian packages,"
    echo "setup: then run again with ACTSEARCH_SKIP_SETUP=1:"
    printf '  %s\n' "${packages[@]}"
  } >&2
  exit 1
fi

# The environment, made anew where what it should hold has changed; the list it was made from is written last.
install_frameworks() {
  $frameworks || return 0
  local root list place
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  list=$root/tests/export/requirements.txt place=$root/build/frameworks
  if cmp -s "$list" "$place/requirements.txt"; then
    echo "setup: the frameworks are in build/frameworks" >&2
    return 0
  fi
  echo "setup: installing the frameworks of tests/export/requirements.txt into build/frameworks" >&2
  rm -rf "$place"
  /usr/bin/python3 -m venv "$place" >&2
  "$place/bin/pip" install --quiet --disable-pip-version-check --retries 1 --requirement "$list" >&2
  cp "$list" "$place/requirements.txt"
}

missing=()
for package in "${packages[@]}"; do
  state=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $state == installed ]] || missing+=("$package")
  if $check; then printf '%-32s %s\n' "$package" "${state:-missing}"; fi
done
if $check; then
  exit $((${#missing[@]} > 0))
fi
if ((${#missing[@]} == 0)); then
  echo "setup: all ${#packages[@]} packages are there" >&2
  install_frameworks
  exit 0
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: missing: ${missing[*]}" >&2
    echo "setup: neither root nor sudo; as root, run: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi
echo "setup: installing with apt: ${missing[*]}" >&2
"${as_root[@]}" apt-get update -q >&2
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
install_frameworks
echo "setup: done" >&2
