#!/usr/bin/env bash
# Arrows go downward only: every file under Sources imports what the table of Docs/architecture.md allows its target, the
# manifest declares the same, and the sans-IO cores know no clock, task, socket or Foundation.
# Prints each violation; the last line counts the checks. Exit code 1 if one failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

passed=0
failed=0
check() { # check WHAT, with the violations on stdin
  local violations
  violations=$(cat)
  if [[ -z $violations ]]; then
    passed=$((passed + 1))
  else
    failed=$((failed + 1))
    echo "arrows: $1:"
    sed 's/^/  /' <<< "$violations"
  fi
}

# Who may import whom, of our own targets, as in the first table of Docs/architecture.md.
declare -A arrows=(
  [CNetlink]=""
  [COpenSSL]=""
  [CLinux]=""
  [Wire]=""
  [Membership]="Wire"
  [Registry]="Wire"
  [Associations]="Wire"
  [Overlay]="Wire Registry"
  [Trust]="Wire"
  [Kernel]="Wire CNetlink CLinux"
  [DataPath]="Wire COpenSSL CLinux"
  [Control]="Wire"
  [Agent]="CLinux Wire Membership Registry Associations Overlay Trust Kernel DataPath Control"
  [weftd]="Agent"
  [weft]="Control"
)
# The targets under Tests that several test targets use, and what of ours they may import. No target above imports one.
declare -A support=(
  [CAllocations]=""
  [Namespaces]="CLinux"
)
# The modules of others that a target may import; system modules are below.
declare -A modules=(
  [CNetlink]=""
  [COpenSSL]=""
  [CLinux]=""
  [Wire]=""
  [Membership]=""
  [Registry]=""
  [Associations]=""
  [Overlay]=""
  [Trust]="Crypto SwiftASN1 X509 NIOSSL"
  [Kernel]=""
  [DataPath]=""
  [Control]="HTTPTypes Hummingbird Logging NIOConcurrencyHelpers NIOCore ServiceLifecycle"
  [Agent]="Crypto Logging NIOCore NIOPosix NIOSSL NIOTLS ServiceLifecycle"
  [weftd]="ArgumentParser Logging"
  [weft]="ArgumentParser NIOCore NIOHTTP1 NIOPosix"
)
# FoundationEssentials, never Foundation, which brings 41 MB of ICU into a static binary.
system="Glibc Musl FoundationEssentials Synchronization Dispatch"
sans_io="Wire Membership Registry Associations Overlay"

contains() { [[ " $1 " == *" $2 "* ]]; }

# file:line:module of every import below a folder.
imports() {
  grep -rnE --include='*.swift' \
    '^[[:space:]]*(@[A-Za-z_]+(\([^)]*\))?[[:space:]]+)*((public|package|internal|fileprivate|private)[[:space:]]+)?import[[:space:]]' "$1" |
    sed -E 's/^([^:]+:[0-9]+):.*import[[:space:]]+((struct|class|enum|protocol|typealias|func|let|var)[[:space:]]+)?([A-Za-z_][A-Za-z_0-9]*).*/\1:\4/'
}

for folder in Sources/*/; do
  target=$(basename "$folder")
  if [[ ! -v arrows[$target] ]]; then
    check "$target" <<< "Sources/$target is not in the table of Docs/architecture.md and of Tests/arrows.sh: add it to both."
    continue
  fi
  allowed="${arrows[$target]} ${modules[$target]}"
  contains "$sans_io" "$target" || allowed+=" $system"
  check "$target imports only what it may" < <(
    imports "$folder" | while IFS=: read -r file line module; do
      contains "$allowed" "$module" || echo "$file:$line imports $module"
    done)
done

for target in "${!support[@]}"; do
  check "$target imports only what it may" < <(
    imports "Tests/$target" | while IFS=: read -r file line module; do
      contains "${support[$target]} $system" "$module" || echo "$file:$line imports $module"
    done)
done

# The cores: a clock or a task inside would make the same seed give another trace.
for target in $sans_io; do
  check "$target has no clock, task or randomness of its own" < <(grep -rnE --include='*.swift' \
    '\bTask[[:space:]]*(\.detached|\.sleep|\{|\()|\bDate\(|ContinuousClock|SuspendingClock|\bclock_gettime|\bawait\b|SystemRandomNumberGenerator|\.random\(in: [^,)]*\)|\.shuffled\(\)|\.randomElement\(\)' \
    "Sources/$target" | grep -vE '^[^:]+:[0-9]+:[[:space:]]*//')
done

# The packet path's codecs and offloads are sans-IO, too, although they share a target with the threads that drive them.
check "the codecs of DataPath import only Wire" < <(
  for folder in Packets Offload; do imports "Sources/DataPath/$folder"; done |
    while IFS=: read -r file line module; do
      [[ $module == Wire ]] || echo "$file:$line imports $module"
    done)

# The document has the same targets.
check "the document names every target" < <(
  for target in "${!arrows[@]}" "${!support[@]}"; do
    grep -qE "^\|.*\`$target\`.*\|" Docs/architecture.md || echo "$target is not in the table of Docs/architecture.md"
  done)

# The manifest declares the same arrows.
swift=$(command -v swift || echo /opt/swift/usr/bin/swift)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
if "$swift" package --scratch-path "$scratch" dump-package > "$scratch/manifest.json" 2> "$scratch/errors"; then
  check "the manifest declares no other arrow" < <(
    jq -r '.targets[] | select(.type != "test") | .name as $name
      | .dependencies[] | (.byName // .target // empty) | [$name, .[0]] | @tsv' "$scratch/manifest.json" |
      while read -r target dependency; do
        contains "${arrows[$target]-} ${support[$target]-}" "$dependency" ||
          echo "Package.swift lets $target import $dependency"
      done)
  check "what is under Tests is a test or supports tests, and is in no product" < <(
    jq -r '.targets[] | select(.type != "test" and (.path // "" | startswith("Tests/"))) | .name' \
      "$scratch/manifest.json" | while read -r target; do
      [[ -v support[$target] ]] || echo "$target is not in the table of Tests/arrows.sh: add it."
    done
    jq -r '.products[] | .name as $name | .targets[] | [$name, .] | @tsv' "$scratch/manifest.json" |
      while read -r product target; do
        [[ ! -v support[$target] ]] || echo "the product $product has $target"
      done)
  check "the manifest declares no other module" < <(
    jq -r '.targets[] | select(.type != "test") | .name as $name
      | .dependencies[] | .product // empty | [$name, .[0]] | @tsv' "$scratch/manifest.json" |
      while read -r target product; do
        contains "${modules[$target]-}" "$product" || echo "Package.swift lets $target import $product"
      done)
  check "every Swift target treats warnings as errors" < <(
    jq -r '.targets[] | select(.type != "system" and .name != "CLinux" and .name != "CAllocations")
      | select(.settings | tostring | contains("treatAllWarnings") | not) | .name' "$scratch/manifest.json")
else
  check "the manifest" < "$scratch/errors"
fi

echo "arrows: $passed checks passed, $failed failed"
((failed == 0))
