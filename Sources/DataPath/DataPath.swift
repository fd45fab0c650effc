import CLinux
import Glibc
import Wire

/// The packet path in user space: carries the encrypted networks of this host between their TAPs and ESP in UDP
/// (RFC 3948). It holds the TAP queues, the UDP sockets and the threads that move packets between them.
///
/// Called from one thread, which never waits for packets. What it is told takes effect with `publish`, all at once:
/// threads read one immutable snapshot. Sockets and TAPs are those of the network namespace that the calling thread is in.
package final class DataPath {
  package let settings: Settings
  let provider: any AEADProvider
  /// Rows of each counter: senders first, then receivers.
  var threadCount: Int { settings.queues * 2 }

  // What it was told.
  var networks: [VNI: OpenNetwork] = [:]
  var places: [OpenNetwork?] = []
  let vacancy: Vacancy
  var peers: KnownPeers
  var inbound: [SPI: Inbound] = [:]
  var sockets: PathSockets
  /// Sockets at addresses that the host had before.
  var former: [Former] = []

  // What is published, and which of it is stale.
  var networkPart: NetworkPart
  var inboundPart: InboundPart
  var peerPart: PeerPart
  var areNetworksStale = false
  var isInboundStale = false
  var arePeersStale = false
  var areSocketsStale = false
  let publication: Publication
  /// What threads wait for changes with the next `publish`, behind the snapshot.
  var watchChanges: [WatchChange] = []

  // The threads.
  let queueCounters: CounterBlock<QueueCounter>
  let senders: [ThreadState]
  let receivers: [ThreadState]
  private let end: EndSignal
  private var threads: [PathThread] = []
  var pastOverflows: UInt64 = 0

  struct Former {
    weak var sockets: PathSockets?
  }

  struct Inbound {
    let association: InboundSA
    let peer: KnownPeer
  }

  /// Starts the threads. Nothing is sent or received before `bind`.
  package init(_ settings: Settings = .init()) throws(DataPathError) {
    self.settings = settings
    provider = settings.provider ?? AEADChoice.best.provider
    let count = settings.queues * 2
    peers = KnownPeers(threads: count)
    vacancy = Vacancy(queues: settings.queues, threads: count)
    sockets = PathSockets(none: settings.queues)
    networkPart = NetworkPart([], holding: [])
    inboundPart = InboundPart([], associations: [])
    peerPart = PeerPart([], associations: [], counters: [])
    queueCounters = CounterBlock(threads: count)
    let end = try EndSignal()
    self.end = end
    let readers = (0..<count).map { _ in Publication.Reader() }
    publication = Publication(SnapshotOwner(networkPart, inboundPart, peerPart, sockets), readers: readers)
    var states: [ThreadState] = []
    for thread in 0..<count {
      states.append(
        ThreadState(
          queue: thread % settings.queues, thread: thread, publication: publication, reader: readers[thread],
          waiting: try Waiting(end: end.descriptor), counters: queueCounters.rows.row(thread)))
    }
    senders = Array(states[..<settings.queues])
    receivers = Array(states[settings.queues...])
    for state in senders {
      threads.append(
        try PathThread("weft-out-\(state.queue)") {
          var sender = Sender(state)
          sender.run()
        })
    }
    for state in receivers {
      threads.append(
        try PathThread("weft-in-\(state.queue)") {
          var receiver = Receiver(state)
          receiver.run()
        })
    }
  }

  deinit { stop() }

  /// Ends the threads, closes the sockets and the TAP queues, and forgets the networks; the TAP devices stay. Nothing is
  /// carried any more.
  package func stop() {
    endThreads()
    for vni in networks.keys { close(vni) }
    pastOverflows += sockets.overflows
    sockets = PathSockets(none: settings.queues)
    areSocketsStale = true
    publish()
  }
  func endThreads() {
    end.signal()
    for thread in threads { thread.join() }
    threads = []
  }
}
