# How benchmarks come to their figures. To be sourced.

# How much of the processors nobody used during two seconds, in per cent: a busy machine makes every time longer.
idle() {
  local before after
  before=$(sed -n 's/^cpu  *//p' /proc/stat)
  sleep 2
  after=$(sed -n 's/^cpu  *//p' /proc/stat)
  awk -v before="$before" -v after="$after" 'BEGIN {
    n = split(before, b); split(after, a)
    for (i = 1; i <= n; i++) total += a[i] - b[i]
    printf "%.0f\n", 100 * (a[4] - b[4]) / total
  }'
}

# spread DIGITS: median, 99th percentile and maximum of the numbers on standard input, with DIGITS after the point, and
# how many they are. Fails if there are none.
spread() {
  sort -g | awk -v digits="$1" '
    { value[NR] = $1 }
    END {
      if (NR == 0) exit 1
      median = NR % 2 ? value[(NR + 1) / 2] : (value[NR / 2] + value[NR / 2 + 1]) / 2
      rank = int(NR * 0.99); if (rank < NR * 0.99) rank++
      form = "%." digits "f"
      printf form " " form " " form " %d\n", median, value[rank], value[NR], NR
    }'
}

# round_trips [FILE]: those that ping tells, in milliseconds.
round_trips() {
  awk '/ bytes from / && match($0, / time=[0-9.]+/) { print substr($0, RSTART + 6, RLENGTH - 6) }' "$@"
}

# lost FILE: how many pings of a hundred a second were lost, and of how many. Those on their way at the end are not lost,
# unless they are more than one second's.
lost() {
  awk '
    / bytes from / { match($0, /icmp_seq=[0-9]+/); n = substr($0, RSTART + 9, RLENGTH - 9) + 0
                     if (!(n in seen)) answered++; seen[n] = 1; if (n > last) last = n }
    / packets transmitted/ { sent = $1 }
    END {
      if (sent == "") exit 1
      if (sent - last > 100) last = sent
      print last - answered, sent
    }' "$1"
}

# On what kernel figures of this machine are taken, in words.
kernel_words() {
  if [[ -n ${WEFT_LAB:-} ]]; then
    echo "Linux $(uname -r), $(nproc) processors of the lab's machine, emulated by QEMU (TCG): 10 to 30 times slower than" \
      "the machine itself"
  else
    echo "Linux $(uname -r), $(nproc) processors"
  fi
}
