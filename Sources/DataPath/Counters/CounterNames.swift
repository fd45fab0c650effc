/// The counters of one kind of thing. Drops by reason have the places behind them.
protocol Counter: RawRepresentable<Int>, CaseIterable {
  /// How many there are; a literal, since `allCases` makes an array.
  static var count: Int { get }
}

enum NetworkCounter: Int, Counter {
  case framesOut, bytesOut, packetsOut, framesCut, framesFlooded
  case packetsIn, framesIn, bytesIn, framesJoined

  static var count: Int { 9 }
}

enum PeerCounter: Int, Counter {
  case packetsOut, bytesOut, packetsIn, bytesIn

  static var count: Int { 4 }
}

enum QueueCounter: Int, Counter {
  case messagesOut, segmentationRefused
  case messagesIn, packetsIn

  static var count: Int { 4 }
}
