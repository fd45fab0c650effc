import Wire

@testable import DataPath

/// Packets of ESP: of nobody, of a host that has the key and writes what it likes inside, honest ones in any order,
/// again, changed, cut off. A list of all numbers that came says what has to be opened.
struct ESPTarget: FuzzTarget {
  private static let spi: UInt32 = 0x4000
  private static let material = [UInt8](repeating: 0x3c, count: 36)
  private static let window = 64
  private let providers: [any AEADProvider] = [LibcryptoProvider(), AEADChoice.best.provider]

  func run(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let provider = providers[input.number(below: providers.count)]
    let run = required("an SA") { try ESPRun(spi: Self.spi, material: Self.material, window: Self.window, provider) }
    for _ in 0..<256 where !input.isAtEnd {
      let choice = input.byte()
      switch choice & 7 {
      case 0: run.takeForeign(input.chunk(atMost: 2000))
      case 1: run.takeAuthentic(input.chunk(atMost: 2000), number: run.number(choice, input.byte()))
      case 2: run.takeAgain(Int(input.byte()))
      case 3: run.takeChanged(Int(input.byte()), bit: Int(input.byte()) << 8 | Int(input.byte()))
      case 4: run.takeOfLength(Int(input.byte()), Int(input.byte()))
      default:
        run.takeHonest(input.chunk(atMost: 2000), nextHeader: input.byte(), number: run.number(choice, input.byte()))
      }
    }
  }

  func seeds() -> [[UInt8]] {
    // A chunk has its length in two bytes before it.
    let chunk: [UInt8] = [0, 8, 1, 2, 3, 4, 1, 2, 2, 17]
    let honest: [UInt8] = (0..<6).flatMap { (number: UInt8) in [5 | number << 3] + chunk + [17, number] }
    let jumps: [UInt8] = (0..<20).flatMap { (number: UInt8) in [0x85] + chunk + [47, number * 13] }
    // Two jumps of 2^31 and back: the window is across the end of the low half.
    let across: [UInt8] = [5, 0x85, 0x85, 0xc5, 0xc5].enumerated().flatMap { place, choice in
      [choice] + chunk + [47, [0, 0x80, 0x80, 63, 64][place]]
    }
    let authentic: [UInt8] = (0..<6).flatMap { (number: UInt8) in [1 | number << 3] + chunk + [number] }
    let (again, changed, cut): ([UInt8], [UInt8], [UInt8]) = ([2, 0, 2, 3], [3, 0, 1, 7], [4, 0, 35])
    return [
      [0] + honest + again, [1] + jumps + again, [0] + across + again, [0] + authentic + honest + changed + cut,
      [1, 0] + chunk + [0, 0, 0],
    ]
  }
}
