import Glibc
import Testing

extension EndToEnd {
  /// What an administrator may get wrong: each is refused with one sentence that says what to do, and changes nothing.
  @Suite struct BadInput {
    @Test("Names with spaces, slashes, 300 characters, Unicode or nothing in them are refused, and the rule is told")
    func names() throws {
      try withPool(1) { pool in
        for name in [
          "two words", "a/b", "../../etc", String(repeating: "n", count: 300), "blå", "网络", "-x", ".", "a\nb", "a\tb",
        ] {
          let answer = try pool[1].attempt("network", "create", "--encryption", "off", "--", name)
          #expect(answer.status == 1 || answer.status == 64, "\(name): \(answer.said)")
          #expect(answer.errors.contains("name"), "\(name): \(answer.said)")
          #expect(answer.errors.split(separator: "\n").count == 1 || answer.status == 64, "\(name): \(answer.said)")
        }
        #expect(try pool[1].attempt("network", "create", "--encryption", "off", "").status != 0)
        #expect(try pool[1].networks().isEmpty)
        try pool.network("blue")
        let twice = try pool[1].attempt("network", "create", "blue", "--encryption", "off").sentence()
        #expect(twice.contains("blue"), "\(twice)")
        let unknown = try pool[1].attempt("network", "show", "red").sentence()
        #expect(unknown.contains("red"), "\(unknown)")
        let absent = try pool[1].attempt("host", "show", "host9").sentence()
        #expect(absent.contains("host9"), "\(absent)")
      }
    }

    @Test("A VNI, MTU or bridge name that cannot be is refused with the range, a taken one with who has it")
    func numbers() throws {
      try withPool(1) { pool in
        for vni in ["0", "16777216", "4294967297", "-1", "99999999999999999999", "x"] {
          let answer = try pool[1].attempt("network", "create", "blue", "--encryption", "off", "--vni=\(vni)")
          #expect(answer.status == 1 || answer.status == 64, "VNI \(vni): \(answer.said)")
          #expect(answer.errors.lowercased().contains("vni"), "VNI \(vni): \(answer.said)")
        }
        for mtu in ["0", "67", "575", "9001", "70000", "-5", "x"] {
          let answer = try pool[1].attempt("network", "create", "blue", "--encryption", "off", "--mtu=\(mtu)")
          #expect(answer.status == 1 || answer.status == 64, "MTU \(mtu): \(answer.said)")
          #expect(answer.errors.lowercased().contains("mtu"), "MTU \(mtu): \(answer.said)")
        }
        for bridge in ["sixteencharacter", "a b", "a/b", "xenbr7", "xapi1", "vif1.0", "eth7", ""] {
          let answer = try pool[1].attempt("network", "create", "blue", "--encryption", "off", "--bridge=\(bridge)")
          #expect(answer.status == 1 || answer.status == 64, "bridge \(bridge): \(answer.said)")
          #expect(answer.errors.contains("bridge"), "bridge \(bridge): \(answer.said)")
        }
        #expect(try pool[1].networks().isEmpty)
        // What the underlay cannot carry is told with the numbers; nothing is shrunk in silence.
        let tooLarge = try pool[1].attempt("network", "create", "jumbo", "--encryption", "off", "--mtu", "8000")
        #expect(tooLarge.status == 1, "\(tooLarge.said)")
        #expect(tooLarge.errors.contains("host1") && tooLarge.errors.contains("1500"), "\(tooLarge.said)")
        if try pool[1].networks().contains(where: { $0.name == "jumbo" }) {
          try pool[1].weft("network", "delete", "jumbo")
        }

        try pool[1].weft("network", "create", "blue", "--encryption", "off", "--vni", "16777215", "--bridge", "br-blue")
        #expect(try pool[1].network("blue").vni == 16_777_215)
        #expect(try pool[1].namespace.link("br-blue")?.kind == "bridge")
        let sameVNI = try pool[1].attempt("network", "create", "red", "--encryption", "off", "--vni", "16777215")
          .sentence()
        #expect(sameVNI.contains("16777215") && sameVNI.contains("blue"), "\(sameVNI)")
        let sameBridge = try pool[1].attempt("network", "create", "red", "--encryption", "off", "--bridge", "br-blue")
          .sentence()
        #expect(sameBridge.contains("br-blue") && sameBridge.contains("blue"), "\(sameBridge)")
      }
    }

    @Test(
      "Encryption is required unless it is switched off, and a host that cannot encrypt says so",
      .enabled(if: TestRun.path == .kernel && KernelESP.obstacle != nil, "these hosts can encrypt"))
    func encryptionRequired() throws {
      try withPool(2) { pool in
        let answer = try pool[1].attempt("network", "create", "secret")
        #expect(answer.status == 1, "\(answer.said)")
        #expect(answer.errors.lowercased().contains("encrypt"), "\(answer.said)")
        // Whatever stands, no frame may leave in clear: there is no tunnel.
        for host in pool.hosts {
          #expect(try !host.namespace.links().contains { $0.kind == "vxlan" }, "\(host.name) has a clear tunnel")
        }
        let view = try pool[1].networks().first { $0.name == "secret" }
        #expect(view == nil || view?.encryption == "required")
        #expect(view?.state != "ok")
      }
    }

    @Test("Words that are no command are usage errors, with exit code 64")
    func usage() throws {
      try withPool(1) { pool in
        for words in [
          ["network", "create"], ["network", "paint", "blue"], ["pool", "join"], ["--nonsense"],
          ["pool", "join", "192.0.2.1"], ["pool", "invite", "--uses", "0"], ["pool", "invite", "--ttl", "soon"],
          ["network", "create", "x", "--encap", "string"], ["network", "create", "x", "--encryption", "maybe"],
        ] {
          let answer = try pool[1].attempt(words)
          #expect(answer.status == 64, "\(words): \(answer.said)")
          #expect(!answer.errors.isEmpty)
        }
      }
    }

    @Test("A bridge of the network's name that is not ours is not touched, and the host is named")
    func foreignBridge() throws {
      try withPool(2) { pool in
        try pool[2].namespace.ip("link", "add", "weft-blue", "type", "bridge", "forward_delay", "200")
        try pool[2].namespace.ip("link", "set", "weft-blue", "up")
        let before = try pool[2].namespace.link("weft-blue")
        let answer = try pool[1].attempt("network", "create", "blue", "--encryption", "off")
        #expect(answer.status == 1, "\(answer.said)")
        #expect(answer.errors.contains("host2") && answer.errors.contains("weft-blue"), "\(answer.said)")
        #expect(try pool[2].namespace.link("weft-blue") == before)
        #expect(try pool[1].network("blue").state == "degraded")
        // The advice works: once the foreign bridge is gone, the network stands.
        try pool[2].namespace.ip("link", "delete", "weft-blue")
        try eventually(within: 40, "the network stands on host2") { try pool[1].network("blue").state == "ok" }
        let guests = try (1...2).map { try pool.guest(on: pool[$0], pool[1].network("blue")) }
        try expectAllReach(guests)
      }
    }

    @Test("A gossip port that is taken, by UDP or by TCP, is told with its number")
    func portTaken() throws {
      try withHosts(1) { pool in
        for listen in ["UDP4-RECVFROM:7677,bind=192.0.2.1", "TCP4-LISTEN:7677,bind=192.0.2.1"] {
          let holder = try pool.start(["socat", "-u", listen, "OPEN:/dev/null"], in: pool[1].namespace, name: "holder")
          try eventually("the port is held") {
            try pool[1].namespace.execute("ss", "-Hlnut").contains(":7677")
          }
          let line = try pool[1].refusal(pool[1].agentCommand())
          #expect(line.contains("7677"), "\(line)")
          #expect(line.contains("--port") || line.contains("use") || line.contains("stop"), "\(line)")
          holder.signal(SIGKILL)
          holder.wait(within: 5)
        }
        try pool[1].start()
      }
    }

    @Test("A second agent in the namespace or on the state directory is refused, and the holder is named")
    func secondAgent() throws {
      try withHosts(2) { pool in
        try pool[1].start()
        let pid = try #require(pool[1].agent?.pid)
        let sameNamespace = try pool[1].refusal(
          pool[1].agentCommand(stateDirectory: pool.path("other"), socket: pool.path("other.sock")))
        #expect(sameNamespace.contains("\(pid)"), "\(sameNamespace)")
        let sameState = try pool[2].refusal(
          pool[2].agentCommand(stateDirectory: pool[1].stateDirectory, socket: pool.path("other.sock")))
        #expect(sameState.contains("\(pid)"), "\(sameState)")
        let sameSocket = try pool[2].refusal(pool[2].agentCommand(socket: pool[1].socket))
        #expect(sameSocket.contains(pool[1].socket), "\(sameSocket)")
        #expect(try pool[1].attempt("pool", "status").status == 0, "the first agent goes on")
        // The lock of an agent that was killed is no obstacle.
        pool[1].crashAgent()
        try pool[1].start()
      }
    }

    @Test("An underlay that can be none is refused, one that is not there yet is waited for, and told")
    func wrongUnderlay() throws {
      try withHosts(1) { pool in
        for underlay in ["169.254.0.1", "224.0.0.1", "fe80::1%eth0"] {
          let line = try pool[1].refusal(pool[1].agentCommand(underlay: underlay))
          #expect(line.contains(underlay), "\(underlay): \(line)")
        }
        let start = ContinuousClock.now
        let none = try pool[1].refusal(pool[1].agentCommand(underlay: ""))
        #expect(none.contains("--underlay"), "\(none)")
        #expect(ContinuousClock.now - start >= .seconds(1), "a supervisor does not try many times a second")

        let namespace = pool[1].namespace
        let late: [(underlay: String, brings: [String])] = [
          ("192.0.2.99", ["address add 192.0.2.99/24 dev eth0"]),
          ("late0", ["link add late0 type bridge", "address add 198.51.100.1/24 dev late0", "link set late0 up"]),
        ]
        for (underlay, brings) in late {
          let child = try pool.startWaiting(pool[1], underlay: underlay, for: underlay)
          #expect(child.isRunning && !Files.exists(pool[1].socket))
          try namespace.ip(batch: brings)
          try eventually("the agent answers") { try pool[1].attempt("pool", "status").status == 0 }
          child.signal(SIGTERM)
          #expect(child.wait(within: 15) == 0)
        }

        let waiting = try pool.startWaiting(pool[1], underlay: "nosuch0", for: "nosuch0")
        waiting.signal(SIGTERM)
        #expect(waiting.wait(within: 5) != nil)

        // By the name of the interface it works.
        let child = try pool.start(pool[1].agentCommand(underlay: "eth0"), in: namespace, name: "by-interface")
        try eventually("the agent answers") { try pool[1].attempt("pool", "status").status == 0 }
        child.signal(SIGTERM)
        #expect(child.wait(within: 15) == 0)
      }
    }

    @Test("Without root the agent and the command line say that root is needed")
    func noPermission() throws {
      try withPool(1) { pool in
        let nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        // The binaries may lie where nobody may look: copies do not.
        try must(["cp", TestRun.weft, TestRun.weftd, pool.path("")])
        try must(["chmod", "755", TestRun.directory, pool.path(""), pool.path("weft"), pool.path("weftd")])
        let answer = try run(nobody + [pool.path("weft"), "--socket", pool[1].socket, "pool", "status"])
        let sentence = try answer.sentence()
        #expect(sentence.contains("root") || sentence.contains("ermission"), "\(sentence)")
        let other = try pool.addHost()
        // Even where it may write its files.
        try must(["install", "-d", "-o", "65534", "-g", "65534", pool.path("nobody")])
        var words = other.agentCommand(
          stateDirectory: pool.path("nobody/state"), socket: pool.path("nobody/weft.sock"))
        words[0] = pool.path("weftd")
        let line = try other.refusal(nobody + words)
        #expect(line.contains("root") || line.contains("ermission"), "\(line)")
      }
    }

    @Test("Without an agent the command line says how to start one")
    func noAgent() throws {
      try withHosts(1) { pool in
        let sentence = try pool[1].attempt("pool", "status").sentence()
        #expect(sentence.contains(pool[1].socket) && sentence.contains("weftd"), "\(sentence)")
        try Files.write([], to: pool[1].socket)
        _ = try pool[1].attempt("pool", "status").sentence()
      }
    }

    @Test("Paths that cannot be used are refused with the flag to change")
    func wrongPaths() throws {
      try withHosts(1) { pool in
        let long = "/tmp/" + String(repeating: "s", count: 120)
        let socket = try pool[1].refusal(pool[1].agentCommand(socket: long))
        #expect(socket.contains("107") || socket.contains("socket"), "\(socket)")
        let relative = try pool[1].refusal(pool[1].agentCommand(stateDirectory: "state"))
        #expect(relative.contains("--state-dir"), "\(relative)")
        try Files.write([1], to: pool.path("file"))
        let file = try pool[1].refusal(pool[1].agentCommand(stateDirectory: pool.path("file")))
        #expect(file.contains(pool.path("file")), "\(file)")
        try must(["install", "-d", "-m", "0777", pool.path("open")])
        let open = try pool[1].refusal(pool[1].agentCommand(stateDirectory: pool.path("open")))
        #expect(open.contains(pool.path("open")), "\(open)")
        let unreachable = try run(
          pool[1].namespace.commandWithSys(pool[1].agentCommand(stateDirectory: "/proc/nothing/state")))
        #expect(unreachable.status != 0 && unreachable.status < 128, "\(unreachable.said)")
      }
    }

    @Test("A host that cannot be reached for joining is named, within a bounded time")
    func joinNowhere() throws {
      try withHosts(2) { pool in
        for host in pool.hosts { try host.start() }
        try pool[1].weft("pool", "init")
        let token = try pool[1].invite()
        pool[1].crashAgent()
        let refused = try pool[2].attempt("pool", "join", pool[1].address, "--token", token).sentence()
        #expect(refused.contains(pool[1].address), "\(refused)")
        try pool.cut(pool[1])
        let start = Clock.now
        let silent = try pool[2].attempt("pool", "join", pool[1].address, "--token", token).sentence()
        #expect(silent.contains(pool[1].address), "\(silent)")
        #expect(Clock.now - start < 35)
        let nonsense = try pool[2].attempt("pool", "join", "not an address", "--token", token)
        #expect(nonsense.status != 0 && !nonsense.errors.isEmpty)
      }
    }
  }
}
