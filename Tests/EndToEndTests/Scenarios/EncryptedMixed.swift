import Testing

extension EndToEnd.Encrypted {
  @Suite struct Mixed {
    @Test("Two networks of each encapsulation and one of each in clear stand between the same hosts and stay apart")
    func sixNetworks() throws {
      try withPool(2) { pool in
        var networks: [NetworkView] = []
        for encapsulation in Carriage.Encapsulation.allCases {
          let name = encapsulation.rawValue
          for number in 1...2 { networks.append(try pool.encryptedNetwork("\(name)\(number)", encapsulation)) }
          try pool[1].weft("network", "create", "\(name)-clear", "--encap", name, "--encryption", "off")
          networks.append(try pool[1].network("\(name)-clear"))
        }
        let guests = try networks.map { network in try (1...2).map { try pool.guest(on: pool[$0], network) } }
        for members in guests { try expectAllReach(members) }

        let witness = try Witness(pool)
        let marks = networks.map { Frame.mark("in \($0.name)") }
        let wires = try guests.map { try $0[1].wire() }
        for (index, members) in guests.enumerated() {
          let frame = Frame.ethernet(to: Frame.broadcast, from: members[0].mac, payload: marks[index])
          try members[0].socket().send(frame)
          #expect(wires[index].receive(1, marked: marks[index], within: 3).count == 1)
        }
        for (index, wire) in wires.enumerated() {
          for other in marks.indices where other != index {
            #expect(
              wire.receive(marked: marks[other], within: 0.02).isEmpty,
              "\(networks[index].name) got a frame of \(networks[other].name)")
          }
        }
        let capture = try witness.stop()
        for (network, mark) in zip(networks, marks) {
          let expected: Set<UnderlayCapture.Kind> =
            switch (network.encryption, network.encap) {
            case ("required", _): []
            case (_, "gre"): [.bareGRE(network.vni)]
            default: [.clearVXLAN]
            }
          #expect(capture.kinds(holding: mark) == expected, "\(network.name): \(capture.summary)")
        }
        #expect(capture.count(.esp) >= 4, "\(capture.summary)")
      }
    }
  }
}
