import Glibc
import Testing

extension EndToEnd {
  @Suite struct Disk {
    @Test("What a command confirmed is still there after kill -9 of every agent at that moment")
    func confirmedIsKept() throws {
      try withHosts(2) { pool in
        for host in pool.hosts { try host.start() }
        try pool[1].weft("pool", "init", "--name", "lab")
        pool[1].crashAgent()
        try pool[1].start()
        let token = try pool[1].invite("--uses", "1")
        pool[1].crashAgent()
        try pool[1].start()
        try pool[2].weft("pool", "join", pool[1].address, "--token", token)
        for host in pool.hosts { host.crashAgent() }
        for host in pool.hosts { try host.start() }
        try pool.settle()

        for round in 1...3 {
          try pool[1].weft("network", "create", "net\(round)", "--encryption", "off")
          for host in pool.hosts { host.crashAgent() }
          for host in pool.hosts { try host.start() }
          try pool.settle()
          for host in pool.hosts {
            try eventually("\(host.name) has net\(round)") { try host.networks().map(\.name).contains("net\(round)") }
          }
        }
        try pool[2].weft("network", "delete", "net1")
        try pool[1].weft("network", "set", "net2", "--name", "renamed")
        for host in pool.hosts { host.crashAgent() }
        for host in pool.hosts { try host.start() }
        try pool.settle()
        for host in pool.hosts {
          try eventually("\(host.name) knows the deletion and the new name") {
            try host.networks().map(\.name).sorted() == ["net3", "renamed"]
          }
        }
      }
    }

    @Test("The host that alone confirmed a network still has it when it comes back without the others")
    func confirmedByOneHost() throws {
      try withPool(2) { pool in
        try pool.cut(pool[2])
        try eventually(within: 30, "host1 is alone") { try pool[1].host("host2")?.state == "dead" }
        try pool.network("blue", on: pool[1])
        pool[1].crashAgent()
        try pool[1].start()
        #expect(try pool[1].networks().map(\.name) == ["blue"])
        try pool.heal(pool[2])
        try pool.settle()
        try eventually("host2 gets it") { try pool[2].networks().map(\.name) == ["blue"] }
      }
    }

    @Test("A used token stays used after kill -9 of its issuer")
    func usedTokenStaysUsed() throws {
      try withHosts(3) { pool in
        for host in pool.hosts { try host.start() }
        try pool[1].weft("pool", "init")
        let token = try pool[1].invite()
        try pool[2].weft("pool", "join", pool[1].address, "--token", token)
        pool[1].crashAgent()
        try pool[1].start()
        let refusal = try pool[3].attempt("pool", "join", pool[1].address, "--token", token).sentence()
        #expect(refusal.contains("used up"), "\(refusal)")
      }
    }

    @Test("A host keeps its identity over restarts, and is the same host for the others")
    func sameIdentity() throws {
      try withPool(2) { pool in
        let before = try pool[1].hosts().map(\.id)
        try pool[2].stopAgent()
        try pool[2].start()
        try pool.settle()
        #expect(try pool[1].hosts().map(\.id) == before)
      }
    }

    @Test(
      "A file of the state that is empty, torn or foreign is refused with a sentence, never replaced by a new identity")
    func tornFiles() throws {
      try withPool(2) { pool in
        _ = try pool.network("blue")
        let before = try #require(try pool[1].host("host2")?.id)
        try pool[2].stopAgent()
        let files = try Files.list(pool[2].stateDirectory).filter { !$0.contains("lock") }
        try #require(files.count >= 4, "expected several files of state: \(files)")
        for file in files {
          let path = "\(pool[2].stateDirectory)/\(file)"
          let content = Files.read(path)
          try #require(!content.isEmpty, "\(file) is empty")
          var flipped = content
          flipped[content.count - 1] ^= 1
          for (how, broken) in [
            ("empty", []), ("torn", Array(content[..<(content.count / 2)])), ("short", Array(content.dropLast())),
            ("changed", flipped), ("foreign", Array("# not a file of ours\n".utf8)),
          ] {
            try Files.write(broken, to: path)
            let line = try pool[2].refusal(pool[2].agentCommand())
            #expect(line.contains(file) || line.contains(pool[2].stateDirectory), "\(file), \(how): \(line)")
            #expect(Files.read(path) == broken, "\(file), \(how): the refused file was touched")
          }
          try Files.write(content, to: path)
        }
        try pool[2].start()
        try pool.settle()
        #expect(try pool[1].host("host2")?.id == before)
      }
    }

    @Test("A state directory without its identity is refused, and one that was copied to another machine too")
    func foreignState() throws {
      try withPool(2) { pool in
        try pool[2].stopAgent()
        let state = pool[2].stateDirectory
        let identity = try #require(try Files.list(state).first { $0.contains("identity") }, "a file named identity")
        try must(["mv", "\(state)/\(identity)", pool.path("kept")])
        let missing = try pool[2].refusal(pool[2].agentCommand())
        #expect(missing.contains("identity"), "\(missing)")
        try must(["mv", pool.path("kept"), "\(state)/\(identity)"])

        // The same directory on a machine with another machine-id: a mount that only this process sees.
        try Files.write("0123456789abcdef0123456789abcdef\n".utf8, to: pool.path("machine-id"))
        let copied = try pool[2].refusal(
          [
            "unshare", "--mount", "sh", "-c", "mount --bind \"$0\" /etc/machine-id && exec \"$@\"",
            pool.path("machine-id"),
          ]
            + pool[2].agentCommand())
        #expect(copied.contains("machine"), "\(copied)")
        try pool[2].start()
        try pool.settle()
      }
    }
  }
}
