#!/usr/bin/env bash
# Runs the commands of docs/gallery.md (its indented lines that begin with "actsearch plot") and writes their pictures into docs/gallery/.
#
#   scripts/gallery.sh [--check | --pages]
#
# --check changes nothing; exit code 1 if a picture is missing, is not what its command draws, or belongs to no command
# --pages writes the pictures of the report page instead, as Chromium shows it (their bytes depend on its version and the fonts)
#
# The program is that of preset $ACTSEARCH_PRESET (release if not set), which must be built, or $ACTSEARCH_PROGRAM.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
case ${1:-} in
  "" | --check | --pages) ;;
  *) echo "gallery: unknown argument $1 (known: --check, --pages)" >&2; exit 2 ;;
esac
program=${ACTSEARCH_PROGRAM:-$root/build/${ACTSEARCH_PRESET:-release}/actsearch}
if [[ ! -x $program ]]; then
  echo "gallery: $program is not there: run scripts/build.sh ${ACTSEARCH_PRESET:-release}" >&2
  exit 1
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/docs/gallery" "$scratch/bin"
cp -r "$root/docs/results" "$scratch/docs/"  # a database that is read has files beside it meanwhile
ln -s "$program" "$scratch/bin/actsearch"
if [[ ${1:-} == --pages ]]; then
  "$program" report --db "$scratch/docs/results/cpu-proxy.db" --out "$scratch/page"
  shoot() {  # name, width,height, further flags
    chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir="$scratch/browser" --window-size="$2" "${@:3}" \
      --screenshot="$root/docs/gallery/$1.png" "file://$scratch/page/index.html" 2>/dev/null
  }
  shoot report-light 1200,1100
  shoot report-dark 1200,1100 --blink-settings=preferredColorScheme=0
  shoot report-narrow 400,1100
  echo "gallery: 3 pictures of the report page" >&2
  exit 0
fi
mapfile -t commands < <(sed -n 's/^    \(actsearch plot .*\)/\1/p' "$root/docs/gallery.md")
for command in "${commands[@]}"; do
  (cd "$scratch" && PATH="$scratch/bin:$PATH" bash -c "$command")
done

drawn=$(find "$scratch/docs/gallery" -name '*.svg' | wc -l)
if ((drawn == 0 || drawn != ${#commands[@]})); then
  echo "gallery: ${#commands[@]} commands drew $drawn pictures" >&2
  exit 1
fi
if [[ ${1:-} == --check ]]; then
  mkdir "$scratch/kept"
  find "$root/docs/gallery" -name '*.svg' -exec cp -t "$scratch/kept" {} +
  if ! diff -rq "$scratch/kept" "$scratch/docs/gallery" >&2; then
    echo "gallery: docs/gallery is not what its commands draw: run scripts/gallery.sh" >&2
    exit 1
  fi
else
  rm -f "$root"/docs/gallery/*.svg
  cp "$scratch"/docs/gallery/*.svg "$root/docs/gallery/"
fi
echo "gallery: $drawn pictures" >&2
