import Testing

extension EndToEnd.Encrypted {
  @Suite struct Mixed {
    @Test("A host that cannot encrypt is named, carries nothing of the network, and the others go on")
    func oneHostCannot() throws {
      try withHosts(3) { pool in
        pool[3].path = .user
        // Without TAP devices, and with its kernel not asked, it has no way to encrypt.
        pool[3].launcher = ["unshare", "-m", "sh", "-c", "mount --bind /dev/null /dev/net/tun && exec \"$@\"", "sh"]
        for host in pool.hosts { try host.start() }
        try pool[1].weft("pool", "init", "--name", "lab")
        for host in pool.hosts.dropFirst() { try pool.join(host, through: pool[1]) }
        try pool.settle()
        let answer = try pool[1].attempt("network", "create", "blue")
        #expect(answer.status == 1)
        #expect(answer.errors.contains("host3") && !answer.errors.contains("host2"), "\(answer.said)")
        let network = try pool[1].network("blue")
        #expect(network.state == "degraded")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], network) }
        try expectAllReach(guests)
        #expect(try pool[3].namespace.link(pool[3].device(of: network)) == nil)
        let refusal = try pool[3].attempt("network", "create", "red")
        #expect(refusal.status == 1 && refusal.errors.contains("--encryption off"), "\(refusal.said)")
      }
    }

    @Test("Two networks of each encapsulation and one of each in clear stand between the same hosts and stay apart")
    func sixNetworks() throws {
      try withPool(2) { pool in
        var networks: [NetworkView] = []
        for encapsulation in Carriage.Encapsulation.allCases {
          let name = encapsulation.rawValue
          for number in 1...2 { networks.append(try pool.encryptedNetwork("\(name)\(number)", encapsulation)) }
          // In clear only the kernel carries, and not every kernel has GRE.
          guard encapsulation == .vxlan || KernelESP.obstacle == nil else { continue }
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
        #expect(capture.count(.esp) + capture.count(.espInUDP) >= 4, "\(capture.summary)")
      }
    }
  }
}
