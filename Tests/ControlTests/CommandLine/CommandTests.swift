import Control
import Testing

/// The real command against a real server: what it asks, what it prints, how it leaves.
@Suite(.timeLimit(.minutes(1)))
struct CommandTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let arguments: String
    let call: String
    let output: String

    var testDescription: String { "weft \(arguments)" }
  }

  @Test("each command asks for one thing and prints this text", arguments: cases)
  func command(_ example: Case) async throws {
    try await withServer { server in
      let words = example.arguments.split(separator: " ").map(String.init)
      let run = try await CommandLineTool.run(["--socket", server.path] + words)
      #expect(run.output == example.output + "\n")
      #expect(run.error == "")
      #expect(run.status == 0)
      #expect(await server.agent.calls == [example.call])
    }
  }

  static let cases = [
    Case(
      arguments: "pool init --name rack", call: "initPool rack",
      output: "Pool rack is made; this host is host1 (192.0.2.1)."),
    Case(arguments: "pool init", call: "initPool nil", output: "Pool rack is made; this host is host1 (192.0.2.1)."),
    Case(arguments: "pool invite", call: "invite nil nil", output: "weft1-abcdef"),
    Case(arguments: "pool invite --ttl 2h30m --uses 5", call: "invite 9000 5", output: "weft1-abcdef"),
    Case(arguments: "pool invite --ttl 90", call: "invite 90 nil", output: "weft1-abcdef"),
    Case(
      arguments: "pool join 192.0.2.2:7677 --token -weft1-abc", call: "joinPool 192.0.2.2:7677 -weft1-abc",
      output: "Joined pool rack as host1: 3 hosts now."),
    Case(
      arguments: "pool rekey", call: "rekey false",
      output: "New keys are drawn; host1 has epoch 3, and 2 other hosts took the order."),
    Case(
      arguments: "pool rekey --host-only", call: "rekey true", output: "New keys are drawn; host1 has epoch 3."),
    Case(arguments: "pool leave", call: "leavePool", output: "This host has left the pool."),
    Case(
      arguments: "pool status", call: "poolStatus",
      output: """
        Pool        rack (0a0b0c0d)
        This host   host1 (192.0.2.1), release 0.1.0
        Hosts       2 alive, 1 with its agent down
        Networks    1
        MACs        2
        Key epochs  host1 2
        Keys        established with 1 host, pending with 2 hosts
        Problems    1
        Problem: Host host2 is silent: start weftd there.
        """),
    Case(
      arguments: "host list", call: "hosts",
      output: """
        NAME   STATE       ADDRESS    MTU   RELEASE  NOTE
        host1  alive       192.0.2.1  1500  0.1.0    this host
        host2  agent down  -          -     -        1 problem
        """),
    Case(
      arguments: "host show host1", call: "host host1",
      output: """
        Name          host1 (this host)
        ID            00112233445566778899aabbccddeeff
        State         alive
        Address       192.0.2.1
        MTU           1500
        Release       0.1.0
        Capabilities  kernel ESP, kernel VXLAN
        Incarnation   3
        Boot          7/00000000000000aa
        Version       19
        Key epoch     2
        Networks      blue
        KEYS WITH  STATE        INBOUND  OUTBOUND SPI  SENT  RECEIVED  REPLAYED  BROKEN
        host2      established  2        0x001a2b3c    120   118       3         1
        host3      none         0        -             0     0         0         0
        Dropped with host2: 3 replayed. An ESP packet came a second time.
        """),
    Case(
      arguments: "host evict host2", call: "evictHost host2",
      output: "Host host2 is evicted: its keys count for nothing in this pool any more."),
    Case(
      arguments: "network create green --encap gre --encryption off --mtu 1400 --vni 5 --bridge br7",
      call: "createNetwork green gre off 1400 5 br7",
      output: "Network green is made and stands on 3 hosts after 0.04 s "
        + "(vxlan, encryption off, MTU 1450, VNI 4711, bridge weft-blue)."),
    Case(
      arguments: "network create green", call: "createNetwork green nil nil nil nil nil",
      output: "Network green is made and stands on 3 hosts after 0.04 s "
        + "(vxlan, encryption off, MTU 1450, VNI 4711, bridge weft-blue)."),
    Case(
      arguments: "network list", call: "networks",
      output: """
        NAME  STATE  ENCAP  ENCRYPTION  MTU   VNI   BRIDGE     HOSTS  MACS
        blue  ok     vxlan  off         1450  4711  weft-blue  3/3    2
        """),
    Case(
      arguments: "network show a/b?ü", call: "network a/b?ü",
      output: """
        Name           blue
        UUID           6f9d3c50-52c4-4f0e-8a57-2f0c9f6c2d11
        State          ok
        VNI            4711
        Bridge         weft-blue
        Encapsulation  vxlan
        Encryption     off
        MTU            1450
        Stands on      host1, host2, host3
        MACs           2
        """),
    Case(
      arguments: "network show red", call: "network red",
      output: """
        Name           red
        UUID           7f9d3c50-52c4-4f0e-8a57-2f0c9f6c2d12
        State          ok
        VNI            4712
        Bridge         weft-red
        Encapsulation  gre
        Encryption     required
        MTU            1412
        Underlay MTU   at least 1500 (88 more)
        Carried by     user-space GRE in ESP in UDP
        Floods to      192.0.2.2, 192.0.2.3
        Remote MACs    1
        Sent           7 frames (1 cut, 2 flooded) in 12 packets, 9000 bytes
        Received       1 frame (1 joined) of 6 packets, 5000 bytes
        Stands on      host1
        MACs           0
        Dropped: 3 replayed. An ESP packet came a second time.
        """),
    Case(
      arguments: "network set blue --name sky --mtu 1400", call: "setNetwork blue sky 1400",
      output: "Network blue is changed and stands on 3 hosts after 0.01 s "
        + "(vxlan, encryption off, MTU 1450, VNI 4711, bridge weft-blue)."),
    Case(arguments: "network delete blue", call: "deleteNetwork blue", output: "Network blue is deleted."),
    Case(
      arguments: "mac list", call: "bindings nil",
      output: """
        MAC                NETWORK  HOST   STATE    SEQUENCE  VIF     VM   IPS                       NOTE
        00:16:3e:00:00:01  blue     host1  live     4         vif3.0  web  198.51.100.7,2001:db8::7  -
        00:16:3e:00:00:02  blue     host2  present  -         -       -    -                         \
        duplicate: also on host1 vif4.0; host dead; damped: moved too often
        """),
    Case(
      arguments: "mac list --network empty", call: "bindings empty",
      output: "There is no MAC: put the interface of a VM into the bridge of a network."),
    Case(
      arguments: "events", call: "events nil",
      output: "2026-11-20T23:30:00.250Z  macMoved  00:16:3e:00:00:01 moved from host2 to host1."),
    Case(
      arguments: "doctor", call: "doctor",
      output: """
        STATUS   CHECK                FOUND
        ok       VXLAN in the kernel  Tried: it works.
        warning  underlay to host2    It does not answer: look at its network.
        """),
  ]

  @Test(
    "with --json a command prints the very answer of the API",
    arguments: [
      ("pool status", "/v1/pool"), ("host list", "/v1/hosts"), ("host show host1", "/v1/hosts/host1"),
      ("network list", "/v1/networks"), ("network show blue", "/v1/networks/blue"), ("mac list", "/v1/bindings"),
      ("events", "/v1/events"), ("doctor", "/v1/doctor"),
    ])
  func json(_ arguments: String, _ target: String) async throws {
    try await withServer { server in
      let words = arguments.split(separator: " ").map(String.init)
      let run = try await CommandLineTool.run(words + ["--json", "--socket", server.path])
      let answer = try await server.ask("GET", target)
      #expect(run.output == answer.body)
      #expect(run.status == 0)
    }
  }

  @Test("pool rekey --json prints the very answer of the API", arguments: [true, false])
  func rekeyJSON(_ hostOnly: Bool) async throws {
    try await withServer { server in
      let flag = hostOnly ? ["--host-only"] : []
      let run = try await CommandLineTool.run(["--socket", server.path, "pool", "rekey", "--json"] + flag)
      let answer = try await server.ask("POST", "/v1/pool/rekey", #"{"hostOnly":\#(hostOnly)}"#)
      #expect(run.output == answer.body)
      #expect(run.status == 0)
      #expect(await server.agent.calls == ["rekey \(hostOnly)", "rekey \(hostOnly)"])
    }
  }

  @Test("events --follow prints each event as it comes, and says so when the agent stops")
  func follow() async throws {
    try await withServer { server in
      let process = try CommandLineTool.start(["--socket", server.path, "events", "--follow"])
      #expect(try await process.read(until: "\n").hasSuffix("macMoved  00:16:3e:00:00:01 moved from host2 to host1.\n"))
      await server.agent.emit(API.Event(id: 6, seconds: 0, kind: "hostAlive", message: "host3 is alive."))
      let second = try await process.read(until: "\n")
      #expect(second == "1970-01-01T00:00:00.000Z  hostAlive  host3 is alive.\n")
      await server.stop()
      let run = try await process.wait()
      #expect(run.status == 1)
      #expect(run.error == "weft: weftd has stopped: start it, then run this command again.\n")
    }
  }

  @Test("events --follow --json prints one object on each line")
  func followJSON() async throws {
    try await withServer { server in
      let process = try CommandLineTool.start(["--socket", server.path, "events", "--follow", "--json"])
      let line = try await process.read(until: "\n")
      #expect(line.hasPrefix("{") && line.hasSuffix("}\n") && line.contains(#""id":5"#))
      await server.agent.endFollowing()
      #expect(try await process.wait().status == 1)
    }
  }
}
