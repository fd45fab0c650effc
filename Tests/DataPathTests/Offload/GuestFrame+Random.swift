import Wire

extension GuestFrame {
  /// Any frame that can be cut.
  static func random(_ random: inout SeededGenerator, payload count: Int) -> GuestFrame {
    var frame = GuestFrame()
    frame.tags = [[], [(0x8100, 100)], [(0x88a8, 7), (0x8100, 4095)]].randomElement(using: &random) ?? []
    frame.isIPv6 = .random(using: &random)
    frame.trafficClass = .random(in: 0...255, using: &random)
    frame.hopLimit = .random(in: 1...255, using: &random)
    frame.identification = .random(in: 0...65_535, using: &random)
    frame.fragment = Bool.random(using: &random) ? 0x4000 : 0
    if .random(in: 0..<4, using: &random) == 0 {
      if frame.isIPv6 {
        frame.extensions = [(0, [0, 1, 4, 0, 0, 0, 0]), (60, [1] + [UInt8](repeating: 0, count: 14))]
      } else {
        frame.ipOptions = [1, 1, 1, 1, 148, 4, 0, 0]
      }
    }
    frame.sequence = .random(in: 0...UInt32.max, using: &random)
    frame.acknowledgement = .random(in: 0...UInt32.max, using: &random)
    frame.flags = .random(in: 0...255, using: &random)
    frame.reserved = .random(in: 0...15, using: &random)
    frame.window = .random(in: 0...65_535, using: &random)
    frame.urgent = .random(in: 0...65_535, using: &random)
    frame.tcpOptions = (0..<4 * Int.random(in: 0...10, using: &random)).map { _ in .random(in: 0...255, using: &random)
    }
    frame.payload = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
    return frame
  }
}
