import Glibc
import Testing

extension EndToEnd {
  @Suite struct Admission {
    /// The token with another last byte in its secret and the checksum that belongs to that.
    private static let forge = #"""
      set -e
      d=$(mktemp -d); trap 'rm -rf "$d"' EXIT
      t=${1#weft1.}
      while (( ${#t} % 4 )); do t+='='; done
      printf %s "$t" | basenc -d --base64url > "$d/token"
      n=$(stat -c %s "$d/token")
      last=$(head -c $((n - 4)) "$d/token" | tail -c 1 | od -An -tu1)
      head -c $((n - 5)) "$d/token" > "$d/forged"
      printf "\\x$(printf %02x $(((last + 1) % 256)))" >> "$d/forged"
      sum=$(sha256sum "$d/forged")
      for i in 0 2 4 6; do printf "\\x${sum:$i:2}" >> "$d/forged"; done
      printf 'weft1.%s' "$(basenc -w0 --base64url "$d/forged" | tr -d =)"
      """#

    @Test("A token that is wrong, used or expired admits nobody, says so on both sides, and changes nothing")
    func badTokens() throws {
      try withPool(1) { pool in
        let before = try pool[1].hosts()
        let stranger = try pool.addHost()
        let third = try pool.addHost()
        for host in [stranger, third] { try host.start() }

        let garbage = try stranger.attempt("pool", "join", pool[1].address, "--token", "nonsense").sentence()
        #expect(garbage.lowercased().contains("token"), "\(garbage)")

        let good = try pool[1].invite()
        let mistyped = try stranger.attempt(
          "pool", "join", pool[1].address, "--token", good.replacingLastCharacters()
        ).sentence()
        #expect(mistyped.lowercased().contains("token"), "\(mistyped)")

        // The secret is another one and the checksum fits: the token reads well, and only its issuer can tell.
        let forged = try run(["bash", "-c", Self.forge, "forge", good]).output
        let wrong = try stranger.attempt("pool", "join", pool[1].address, "--token", forged).sentence()
        #expect(wrong.contains("secret is wrong"), "\(wrong)")
        #expect(try pool[1].weft("events").contains("secret is wrong"), "the issuer tells of it")

        let brief = try pool[1].invite("--ttl", "1s")
        let expiry = Clock.now + 1.2
        try eventually("the token's second is over") { Clock.now > expiry }
        let expired = try stranger.attempt("pool", "join", pool[1].address, "--token", brief).sentence()
        #expect(expired.lowercased().contains("token"), "\(expired)")
        #expect(expired.contains("expired") || expired.contains("lifetime"), "\(expired)")

        #expect(try pool[1].hosts() == before, "a refused host left a trace")
        #expect(try JSON.decode(PoolView.self, from: stranger.weft("pool", "status", "--json")).joined == false)

        try stranger.weft("pool", "join", pool[1].address, "--token", good)
        let used = try third.attempt("pool", "join", pool[1].address, "--token", good).sentence()
        #expect(used.lowercased().contains("token"), "\(used)")
        #expect(used.contains("used"), "\(used)")
        try eventually("the pool has two hosts") { try pool[1].hosts().map(\.name).sorted() == ["host1", "host2"] }

        let events = try pool[1].weft("events")
        #expect(events.contains("expired") && events.contains("used"), "the issuer tells of the refusals: \(events)")

        try third.weft("pool", "join", pool[1].address, "--token", try pool[1].invite())
        try pool.settle()
      }
    }

    @Test("A token for two admits two hosts and no third, and any host of the pool takes it")
    func tokenForTwo() throws {
      try withPool(2) { pool in
        let token = try pool[1].invite("--uses", "2", "--ttl", "10m")
        for _ in 0..<3 { try pool.addHost().start() }
        // host2 did not issue it and forwards.
        try pool[3].weft("pool", "join", pool[2].address, "--token", token)
        try pool[4].weft("pool", "join", "\(pool[1].address):7677", "--token", token)
        let refusal = try pool[5].attempt("pool", "join", pool[1].address, "--token", token).sentence()
        #expect(refusal.contains("used"), "\(refusal)")
        for number in 1...4 {
          try eventually("\(pool[number].name) sees four hosts alive") {
            try pool[number].hosts().filter { $0.state == "alive" }.count == 4
          }
        }
      }
    }

    @Test("A host of another pool is a stranger: neither its tokens nor its gossip count, and it cannot join twice")
    func anotherPool() throws {
      try withPool(2) { pool in
        let foreigner = try pool.addHost()
        try foreigner.start()
        try foreigner.weft("pool", "init", "--name", "other")
        let token = try foreigner.invite()
        let newcomer = try pool.addHost()
        try newcomer.start()
        // The token pins the CA of the pool that made it.
        let refusal = try newcomer.attempt("pool", "join", pool[1].address, "--token", token).sentence()
        #expect(refusal.contains("pool"), "\(refusal)")
        try eventually("the pool's host tells of the caller that did not want it") {
          try pool[1].weft("events").contains("hostRefused")
        }

        let twice = try foreigner.attempt("pool", "join", pool[1].address, "--token", try pool[1].invite()).sentence()
        #expect(twice.contains("pool") && twice.contains("leave"), "\(twice)")
        let again = try pool[1].attempt("pool", "init").sentence()
        #expect(again.contains("pool"), "\(again)")

        try always(for: 2, "the pools stay apart") {
          let ours = try pool[1].hosts().map(\.name).sorted()
          let theirs = try foreigner.hosts().map(\.name)
          return ours == ["host1", "host2"] && theirs == ["host3"]
        }
      }
    }

    @Test("A command that needs a pool says how to get one")
    func notJoined() throws {
      try withHosts(1) { pool in
        try pool[1].start()
        for words in [
          ["network", "create", "blue"], ["pool", "invite"], ["network", "delete", "blue"], ["pool", "leave"],
        ] {
          let sentence = try pool[1].attempt(words).sentence()
          #expect(sentence.contains("pool init") || sentence.contains("pool join"), "\(words): \(sentence)")
        }
        #expect(try JSON.decode(PoolView.self, from: pool[1].weft("pool", "status", "--json")).joined == false)
      }
    }

    @Test("An evicted host is out: its gossip, tunnels and bindings go, it is told why, and it cannot come back")
    func eviction() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        try pool[1].weft("host", "evict", "host3")
        for host in [pool[1], pool[2]] {
          try eventually("\(host.name) has dropped host3") {
            let view = try host.host("host3")
            let flooded = try host.floodList("blue").contains(pool[3].address)
            let bound = try host.bindings("blue").contains { $0.host == "host3" }
            let remote = try host.remote(guests[2].mac, in: "blue")
            return (view == nil || view?.state == "evicted") && !flooded && !bound && remote == nil
          }
        }
        try expectAllReach(Array(guests[0...1]))
        #expect(!guests[0].reaches(guests[2].ipv4), "frames still pass to an evicted host")

        try eventually("host3 says that it was evicted") {
          try pool[3].weft("events").contains("evict") || pool[3].weft("pool", "status").contains("evict")
        }
        pool[3].crashAgent()
        try pool[3].start()
        try eventually("a host that remains tells that it turned host3 away") {
          try pool.hosts.prefix(2).contains { try $0.weft("events").contains("hostRefused") }
        }
        try always(for: 3, "an evicted host stays out when its agent starts again") {
          let view = try pool[1].host("host3")
          return view == nil || view?.state == "evicted"
        }
        // The others trust each other by the new CA, and still admit.
        let joiner = try pool.addHost()
        try joiner.start()
        try pool.join(joiner, through: pool[2])
        for host in [pool[1], pool[2], joiner] {
          try eventually("\(host.name) sees the three that remain") {
            try host.hosts().filter { $0.state == "alive" }.map(\.name).sorted() == ["host1", "host2", "host4"]
          }
        }
        let nobody = try pool[1].attempt("host", "evict", "host77").sentence()
        #expect(nobody.contains("host77"), "\(nobody)")
      }
    }
  }
}

extension String {
  /// The text with another letter or digit in the middle of its last ten.
  fileprivate func replacingLastCharacters() -> String {
    var characters = Array(self)
    let index = characters.count - 5
    characters[index] = characters[index] == "A" ? "B" : "A"
    return String(characters)
  }
}
