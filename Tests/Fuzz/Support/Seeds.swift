import Wire

@testable import Registry

/// What honest hosts of the world would send.
enum Seeds {
  static func batches(of number: Int, boot: Int) -> [Batch] {
    var statements = OwnStatements(owner: World.host(number), boot: World.boot(boot))
    statements.set(.host, World.record(number).bytes)
    statements.set(.network(World.network(1)), NetworkStatus(standing: .stands, hasVIF: true).bytes)
    statements.set(.network(World.network(2)), NetworkStatus(standing: .fails("no bridge"), hasVIF: false).bytes)
    statements.set(.claim(World.network(1), World.mac(1)), claim.bytes)
    statements.set(.unknown(kind: 99, [1]), [2])
    statements.set(.complete, [])
    return statements.sign(World.sign)
  }

  static var claim: Claim {
    Claim(
      state: .live, sequence: MobilitySequence(3), ips: [.v4(0xc633_6401), .v6(high: 0x2001_0db8 << 32, low: 1)],
      vif: "vif1.0", vm: "vm", isBackedByXen: true, isContested: true,
      others: [Claim.OtherVIF(vif: "vif2.0", vm: "copy")])
  }

  static var creation: NetworkCreation {
    required("a network") {
      NetworkCreation(
        vni: VNI.derived(from: World.network(1)), bridge: try BridgeName("weft-blue"), encapsulation: .vxlan,
        encryption: .off, mtu: try NetworkMTU(1400), name: try NetworkName("blue"))
    }
  }

  /// One of each kind.
  static func records() -> [PoolRecord] {
    let network = World.network(1)
    let contents: [(PoolRecordKey, [UInt8])] = [
      (.admission(World.host(2)), RecordBody.certificate([1, 2, 3])),
      (.networkCreation(network), creation.bytes),
      (.networkField(network, .name), required("a name") { RecordBody.name(try NetworkName("red")) }),
      (.networkField(network, .mtu), required("an MTU") { RecordBody.mtu(try NetworkMTU(1300)) }),
      (.networkField(network, .option("colour")), RecordBody.option("red")),
      (.networkDeletion(World.network(2)), []),
      (.revocation(World.host(4)), [1, 2, 3]),
      (.left(World.host(3)), []),
      (.unknown(kind: 99, [1]), [2]),
    ]
    return contents.enumerated().map { index, content in
      PoolRecord(
        key: content.0, stamp: RecordStamp(counter: UInt64(index + 1), author: World.host(2)), body: content.1,
        sign: World.sign)
    }
  }
}
