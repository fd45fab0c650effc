# The tables of throughput.sh from its samples, lines of PATH WHAT VALUE...:
#
#   mtu          the guests' MTU, the processors' idle time before (per cent)
#   idle         round trip with nothing else, ms: median, 99th percentile, maximum; pings lost
#   rest         processors used with nothing else, per cent of one
#   streamsN.D   N streams from VM D: Gb/s, processor seconds for each GB, segments sent again, the four of the round
#                trip, per cent of the processors that the hypervisor took
#   small        packets a second: sent, received, sustained, lost in the receiver's socket
#   fragments    packets that were cut into fragments
#
# Variables: paths and counts (of streams), separated by spaces, in order; seconds.

function field(path, what, number,  words) {
  split(value[path, what], words, " ")
  return words[number]
}
# Weft's figure as a multiple of another path's.
function multiple(path, what, number) {
  if (field(path, what, number) + 0 == 0) return "-"
  return sprintf("%.2f", field("weft", what, number) / field(path, what, number))
}
function stream_words(count) { return count == 1 ? "1 stream" : count " streams" }

{
  what = $2
  path = $1
  sub(/^[^ ]+ [^ ]+ /, "")
  value[path, what] = $0
}

END {
  path_count = split(paths, path_list, " ")
  count_count = split(counts, count_list, " ")
  runs = 0
  for (i = 1; i <= count_count; i++)
    for (direction = 1; direction <= 2; direction++) {
      run[++runs] = "streams" count_list[i] "." direction
      run_title[runs] = stream_words(count_list[i]) ", VM " direction " to " (3 - direction)
      run_column[runs] = count_list[i] "x " direction "-" (3 - direction)
    }
  print_streams()
  print_packets()
  if (("weft", "mtu") in value && path_count > 1) print_multiples()
  print_doubts()
}

function print_streams(  i, p, r, path) {
  printf "\nTCP, %d s each; processor seconds of the whole machine for each GB; segments sent again;", seconds
  print " round trip of pings\nin the same seconds, ms"
  format = "%-22s %-15s %7s %9s %8s %8s %8s %8s %6s\n"
  printf format, "", "path", "Gb/s", "CPU s/GB", "resent", "RTT", "p99", "max", "lost"
  for (r = 1; r <= runs; r++)
    for (p = 1; p <= path_count; p++) {
      path = path_list[p]
      printf format, p == 1 ? run_title[r] : "", path, sprintf("%.2f", field(path, run[r], 1)),
        sprintf("%.2f", field(path, run[r], 2)), field(path, run[r], 3), field(path, run[r], 4),
        field(path, run[r], 5), field(path, run[r], 6), field(path, run[r], 7)
    }
}

function print_packets(  p, path) {
  print "\nRound trip with nothing else, ms; processors with nothing to do, % of one; UDP of 64 bytes, VM 1 to VM 2,"
  print "packets a second: a flood as fast as the sender can, and the highest rate at which at most 1 % is lost"
  format = "%-15s %5s %8s %8s %8s %6s %8s %9s %9s %10s\n"
  printf format, "path", "MTU", "RTT", "p99", "max", "lost", "at rest", "sent", "received", "sustained"
  for (p = 1; p <= path_count; p++) {
    path = path_list[p]
    printf format, path, field(path, "mtu", 1), field(path, "idle", 1), field(path, "idle", 2),
      field(path, "idle", 3), field(path, "idle", 4), value[path, "rest"] " %", field(path, "small", 1),
      field(path, "small", 2), field(path, "small", 3)
  }
}

function print_multiples(  p, r, path) {
  printf "\nWeft as a multiple of the others: Gb/s and packets, of which more is better, CPU s/GB"
  print " and RTT (with\none stream from VM 1 to VM 2), of which less is better"
  printf "%-12s", "of"
  for (r = 1; r <= runs; r++) printf "%9s", run_column[r]
  printf "%10s %9s %9s %9s %10s\n", "CPU s/GB", "idle RTT", "RTT", "received", "sustained"
  for (p = 1; p <= path_count; p++) {
    path = path_list[p]
    if (path == "weft") continue
    printf "%-12s", path
    for (r = 1; r <= runs; r++) printf "%9s", multiple(path, run[r], 1)
    printf "%10s %9s %9s %9s %10s\n", multiple(path, run[1], 2), multiple(path, "idle", 1), multiple(path, run[1], 4),
      multiple(path, "small", 2), multiple(path, "small", 3)
  }
}

# What makes the figures worth less.
function print_doubts(  p, r, path) {
  print ""
  for (p = 1; p <= path_count; p++) {
    path = path_list[p]
    if (field(path, "mtu", 2) < 95)
      printf "Busy: processors were only %d %% idle before %s: its figures are too low.\n", field(path, "mtu", 2), path
    if (value[path, "fragments"] > 0)
      printf "Fragments: %d packets of %s did not fit the underlay.\n", value[path, "fragments"], path
    for (r = 1; r <= runs; r++)
      if (field(path, run[r], 8) >= 1)
        printf "The hypervisor took %s %% of the processors from %s (%s).\n", field(path, run[r], 8), path, run_title[r]
    if (field(path, "small", 4) > field(path, "small", 1) / 100)
      printf "%d small packets a second of %s were lost in the receiver's own socket.\n", field(path, "small", 4), path
  }
}
