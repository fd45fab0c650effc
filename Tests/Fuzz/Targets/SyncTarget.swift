import Wire

@testable import Registry

/// Sync between two hosts: messages of the input and honest ones with some bytes changed, after which honest hosts must
/// still come to an end and agree.
struct SyncTarget: FuzzTarget {
  private let left = World(host: 1)
  private let right = World(host: 2)

  func run(_ bytes: [UInt8]) {
    var (left, right) = (left, right)
    var input = FuzzInput(bytes)
    for _ in 0..<32 where !input.isAtEnd {
      let choice = input.byte()
      switch choice & 7 {
      case 0: Self.hand(input.chunk(), to: &left, asAnswer: choice & 8 != 0)
      case 1: Self.exchange(&left, &right, changedBy: &input)
      case 2: Self.exchange(&right, &left, changedBy: &input)
      case 3...5: RegistryTarget.step(&input, in: &left)
      default: RegistryTarget.step(&input, in: &right)
      }
    }
    World.checkSync(&left, &right)
    left.checkAtEnd()
  }

  private static func hand(_ bytes: [UInt8], to world: inout World, asAnswer: Bool) {
    if let message = try? SyncMessage(bytes: bytes) {
      require(try SyncMessage(bytes: message.bytes) == message, "a sync message is read as it was written")
    }
    let sender = World.host(2)
    if asAnswer { _ = world.finish(bytes, from: sender) } else { _ = world.respond(bytes, from: sender) }
  }

  private static func exchange(_ left: inout World, _ right: inout World, changedBy input: inout FuzzInput) {
    var request = left.registry.syncRequest(to: right.registry.host)
    for _ in 0..<4 {
      change(&request, &input)
      var response = right.respond(request, from: left.registry.host)
      require(response.count <= SyncMessage.maximumSize, "an answer can be read")
      change(&response, &input)
      guard let next = left.finish(response, from: right.registry.host) else { return }
      request = next
    }
  }

  private static func change(_ bytes: inout [UInt8], _ input: inout FuzzInput) {
    for _ in 0..<input.number(below: 4) {
      let index = Int(input.byte()) << 8 | Int(input.byte())
      if index < bytes.count { bytes[index] ^= input.byte() }
    }
  }

  func seeds() -> [[UInt8]] {
    var digest = SyncDigest()
    digest.holdings = [Holding(owner: World.host(1), boot: World.boot(1), version: 1)]
    digest.records = [RecordDigest(1)]
    var delivery = SyncDelivery()
    delivery.batches = Seeds.batches(of: 3, boot: 1).map(\.bytes)
    delivery.records = Seeds.records().prefix(6).map(\.bytes)
    delivery.wanted = digest.holdings
    delivery.wantedRecords = [RecordDigest(1)]
    delivery.allRecords = [RecordDigest(2)]
    let messages = [SyncMessage.digest(digest), .delivery(delivery)].map(\.bytes)
    let handed = messages.map { message in
      var writer = ByteWriter()
      writer.append(UInt8(0))
      writer.appendBlock16(message)
      writer.append(UInt8(8))
      writer.appendBlock16(message)
      return writer.bytes
    }
    let left = Self.steps(3, RegistryTarget.builtRecords(counter: 1))
    let right = Self.steps(6, RegistryTarget.builtRecords(counter: 40))
    let batches = [3, 6].map { Self.steps($0, RegistryTarget.builtBatches) }
    return handed + batches + [left + right, left + [1, 0, 0, 0, 0]]
  }

  /// Steps of one of the two hosts.
  private static func steps(_ host: UInt8, _ steps: [[UInt8]]) -> [UInt8] { Array(steps.map { [host] + $0 }.joined()) }
}
