import Wire

@testable import Trust

/// Packets of members: plaintexts of the input, sealed by a peer's session, opened by ours and handed to the cores, while
/// time passes and VIFs come and go.
struct GossipTarget: FuzzTarget {
  private let world = World(host: 1)
  private let peer: PairSession
  private let own: PairSession

  init() throws {
    let ends = [1, 2].map { Sealer(identity: HostIdentity(), boot: World.boot($0)) }
    peer = try ends[0].session(with: ends[1].publicKeys)
    own = try ends[1].session(with: ends[0].publicKeys)
  }

  func run(_ bytes: [UInt8]) {
    var world = world
    var input = FuzzInput(bytes)
    for _ in 0..<64 where !input.isAtEnd {
      let choice = input.byte()
      switch choice & 7 {
      case 0...3:
        let plaintext = input.chunk(atMost: GossipPacket.maximumPlaintext)
        let host = World.host(2 + Int(choice >> 3 & 3))
        receive(plaintext, from: host, boot: World.boot(1 + Int(choice >> 5 & 1)), in: &world)
      case 4: world.pass(.milliseconds(50) * Int(input.byte()))
      case 5: world.local(&input)
      case 6: world.answerProbe(input.byte())
      default: world.hello(input.chunk(), from: World.host(2 + Int(choice >> 3 & 3)))
      }
    }
    world.checkAtEnd()
  }

  private func receive(_ plaintext: [UInt8], from host: HostID, boot: Boot, in world: inout World) {
    let datagram = required("a plaintext is sealed") { try peer.seal(plaintext) }
    guard case .sealed(_, let box)? = try? GossipPacket.decode(datagram), box.count == plaintext.count + 16 else {
      fatalError("a sealed packet is one")
    }
    require(try own.open(datagram) == plaintext, "a sealed packet is opened")
    require((try? own.open(datagram)) == nil, "a packet is opened once")
    guard let frames = try? GossipFrame.decodeAll(plaintext) else { return }
    var writer = ByteWriter()
    for frame in frames { frame.encode(into: &writer) }
    require(try GossipFrame.decodeAll(writer.bytes) == frames, "frames that were read are written as they were")
    world.take(frames, from: host, boot: boot)
  }

  func seeds() -> [[UInt8]] {
    let (host, boot) = (World.host(2), World.boot(1))
    let batch = Seeds.batches(of: 2, boot: 1).map { GossipFrame.batch($0.bytes) }
    let rumours = MemberState.allCases.map {
      GossipFrame.rumour(MemberRumour(host: World.host(3), boot: boot, incarnation: 1, state: $0, source: host))
    }
    let frames: [[GossipFrame]] = [
      [.ping(sequence: 1), .ack(sequence: 2), .nack(sequence: 3), .pingRequest(sequence: 4, target: World.host(3))],
      rumours,
      [.rumour(MemberRumour(host: World.host(1), boot: boot, incarnation: 0, state: .suspect, source: host))],
      [.advert(boot: boot, version: 4, incarnation: 1, poolHash: 9), .recordsSeen([1, 2])],
      [
        .have(Holding(owner: World.host(1), boot: boot, version: 2)), .want(owner: World.host(1), boot: boot, after: 0),
      ],
      batch,
      Seeds.records().map { .record($0.bytes) },
    ]
    return frames.enumerated().map { index, frames in
      var writer = ByteWriter()
      for frame in frames {
        var packet = ByteWriter()
        frame.encode(into: &packet)
        writer.append(UInt8(0))
        writer.appendBlock16(packet.bytes)
        writer.append([4, UInt8(index * 20)])
      }
      return writer.bytes + [5, 0, 1, 5, 1, 1, 6, 1]
    }
  }
}
