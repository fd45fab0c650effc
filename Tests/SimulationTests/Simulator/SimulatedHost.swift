import Wire

/// One host of the simulation, whether anything runs on it or not.
struct SimulatedHost<Node> {
  enum Condition: Equatable {
    case running
    /// The agent is gone; the kernel resets connections to its port.
    case agentDown
    /// The agent stands still; the kernel accepts connections and keeps datagrams.
    case paused
    /// Nothing answers.
    case crashed
  }

  let id: HostID
  var condition = Condition.crashed
  var boot: Boot
  /// The agent's cores; kept after the agent's end for the tests to look at.
  var node: Node
  /// The boots of peers whose hello this run accepted: without them no packet can be sealed or opened.
  var keys: [HostID: Boot] = [:]
  /// Datagrams that the kernel keeps for a paused agent.
  var inbox: [Datagram] = []
  var wakeAt: Instant?
  /// Wake-ups in a row that came without time passing.
  var spins = 0
  var datagramsSent = 0
  var bytesSent = 0
  var largestPacket = 0
}

struct Datagram {
  enum Payload {
    /// Encoded frames, sealed for the receiver's boot.
    case sealed([UInt8], receiverBoot: Boot)
    case who
    case hello(wantsReply: Bool)
  }

  let sender: Int
  let senderBoot: Boot
  let receiver: Int
  let payload: Payload
}
