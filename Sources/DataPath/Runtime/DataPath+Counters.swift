import Wire

extension DataPath {
  package func counters() -> PathCounters {
    publication.reclaim()
    var counters = PathCounters()
    for (vni, open) in networks { counters.networks[vni] = open.traffic }
    for peer in peers.all { counters.peers[peer.vtep] = peer.traffic }
    let rows = queueCounters.rows
    for queue in 0..<settings.queues {
      let (out, `in`) = (rows.row(queue), rows.row(settings.queues + queue))
      counters.queues.append(
        PathCounters.Queue(
          messagesOut: out.value(.messagesOut), segmentationRefused: out.value(.segmentationRefused),
          messagesIn: `in`.value(.messagesIn), packetsIn: `in`.value(.packetsIn)))
    }
    counters.drops = queueCounters.drops
    counters.socketOverflows = pastOverflows + sockets.overflows
    counters.provider = provider.name
    return counters
  }
}
