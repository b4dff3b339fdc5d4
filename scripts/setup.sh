#!/usr/bin/env bash
# Installs the Debian packages that actsearch is built with, only those that are missing.
#
#   scripts/setup.sh [--check] [--with-images] [--with-torch] [--with-newest-torch] [--with-browser] [--with-frameworks] [--with-clang-tools]
#                    [--with-onednn3] [--with-postgresql] [--with-slurm] [--with-kubernetes]
#
# --check        prints what is there and what is missing, installs nothing; exit code 1 if something is missing
# --with-images  also NumPy and Pillow for python3, which .ci/run unpacks images with
# --with-torch   also PyTorch for python3, which bench/compare.sh measures and tests/kernels/export runs exports in
# --with-newest-torch
#                also a Python environment in build/torch (6 GB) with a recent PyTorch, torchvision and timm (tests/kernels/export/requirements-torch.txt)
# --with-browser also Chromium and its driver (125 MB to fetch), in which the tests open the pages of report and serve
# --with-frameworks
#                also a Python environment in build/frameworks (1 GB) with the other frameworks that tests/kernels/export runs exports in: ONNX
#                Runtime, JAX, Flax, Keras, SymPy, and what python/tests tries the Python package with: pandas, pyarrow, TensorBoard, MLflow
#                (tests/kernels/export/requirements.txt), from the Python Package Index
# --with-clang-tools
#                also clang-format 14 and clang-tidy 16 (90 MB to fetch), which scripts/format.sh and scripts/tidy.sh run
# --with-onednn3 also oneDNN 3 in build/onednn (tests/evaluator/train/requirements.txt, 40 MB to fetch), from there too, for the preset onednn3
# --with-postgresql
#                also PostgreSQL's client library and server: a store for many machines, and the server that its tests start for themselves
#                (with faketime, which sets a clock wrong for them)
# --with-slurm   also Slurm, which deploy/slurm/try.sh runs on one machine
# --with-kubernetes
#                also kubernetes-validate in build/kubernetes (tests/deploy/requirements.txt, 20 MB to fetch), with which a test checks deploy/kubernetes
#
# ACTSEARCH_SKIP_SETUP=1 says that everything is there already (from another package manager, say).
set -euo pipefail

packages=(
  g++ cmake ninja-build git                                       # build
  libeigen3-dev libtbb-dev libdnnl-dev ocl-icd-opencl-dev         # arrays, threads, convolutions (whose CMake package looks for OpenCL)
  libsqlite3-dev libboost-program-options-dev nlohmann-json3-dev  # leaderboard, command line
  libpng-dev libjpeg-dev zlib1g-dev libmd-dev                     # pictures, packed files and checksums of data sets
  libcairo2-dev fonts-dejavu-core                                 # PNG pictures
  pkg-config libcpp-httplib-dev                                   # finding libmd; tests of the served page
  libgtest-dev libbenchmark-dev                                   # tests, benchmarks
  curl ca-certificates python3                                    # fetching CIFAR-10, checks and comparisons
  python3-dev pybind11-dev python3-pytest                         # the Python package and its tests
)
check=false
environments=()  # each the folder below build, and the list of what it holds
for argument in "$@"; do
  case $argument in
    --check) check=true ;;
    --with-images) packages+=(python3-numpy python3-pil) ;;
    --with-torch) packages+=(python3-torch python3-numpy) ;;
    --with-newest-torch) environments+=("torch tests/kernels/export/requirements-torch.txt") packages+=(python3-venv) ;;
    --with-browser) packages+=(chromium chromium-driver) ;;
    --with-frameworks) environments+=("frameworks tests/kernels/export/requirements.txt") packages+=(python3-venv) ;;
    --with-clang-tools) packages+=(clang-format-14 clang-tidy-16) ;;
    --with-postgresql) packages+=(libpq-dev postgresql-15 faketime) ;;
    --with-slurm) packages+=(slurmctld slurmd slurm-client munge) ;;
    --with-kubernetes) environments+=("kubernetes tests/deploy/requirements.txt") packages+=(python3-venv) ;;
    --with-onednn3) environments+=("onednn tests/evaluator/train/requirements.txt") packages+=(python3-venv) ;;
    -h | --help) sed -n '/^set /q;2,$s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) echo "setup.sh: unknown argument $argument (scripts/setup.sh --help lists what is known)" >&2; exit 2 ;;
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

# The Python environments, each made anew where what it should hold has changed; the list it was made from is written last.
install_environments() {
  local root environment list place
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  for environment in "${environments[@]}"; do
    read -r place list <<<"$environment"
    place=$root/build/$place
    if cmp -s "$root/$list" "$place/requirements.txt"; then
      echo "setup: $place holds what $list names" >&2
      continue
    fi
    echo "setup: installing what $list names into $place" >&2
    rm -rf "$place"
    /usr/bin/python3 -m venv "$place" >&2
    "$place/bin/pip" install --quiet --disable-pip-version-check --retries 1 --requirement "$root/$list" >&2
    cp "$root/$list" "$place/requirements.txt"
  done
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
  install_environments
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
if [[ " ${missing[*]} " == *" postgresql-15 "* ]]; then
  # Without this setting Debian's package makes and starts a server of its own, which nobody here asked for.
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql-common >&2
  "${as_root[@]}" sed -i 's/^#\?\s*create_main_cluster\b.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
fi
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
install_environments
echo "setup: done" >&2
