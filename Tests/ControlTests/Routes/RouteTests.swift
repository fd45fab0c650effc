import Control
import Testing

struct RouteTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let method: String
    let target: String
    var body: String?
    var status = 200
    let call: String
    let answer: String

    var testDescription: String { "\(method) \(target)" }
  }

  @Test("each route asks the service once and answers with these very bytes", arguments: cases)
  func route(_ example: Case) async throws {
    try await withServer { server in
      let answer = try await server.ask(example.method, example.target, example.body)
      #expect(answer.status == example.status)
      #expect(answer.headers["content-type"] == "application/json; charset=utf-8")
      #expect(answer.headers["weft-api"] == "1")
      #expect(answer.body == example.answer + "\n")
      #expect(await server.agent.calls == (example.call.isEmpty ? [] : [example.call]))
    }
  }

  static let cases = [
    Case(
      method: "GET", target: "/v1/health", call: "",
      answer: #"{"apiVersion":1,"pid":42,"release":"0.1.0"}"#),
    Case(method: "GET", target: "/v1/pool", call: "poolStatus", answer: status),
    Case(
      method: "POST", target: "/v1/pool/init", body: #"{"name":"rack"}"#, status: 201, call: "initPool rack",
      answer: status),
    Case(method: "POST", target: "/v1/pool/init", status: 201, call: "initPool nil", answer: status),
    Case(
      method: "POST", target: "/v1/pool/tokens", body: #"{"ttl":60,"uses":2}"#, status: 201, call: "invite 60 2",
      answer: #"{"apiVersion":1,"token":"weft1-abcdef","ttl":60,"uses":2}"#),
    Case(
      method: "POST", target: "/v1/pool/join", body: #"{"address":"192.0.2.2:7677","token":"weft1-abc"}"#,
      call: "joinPool 192.0.2.2:7677 weft1-abc", answer: status),
    Case(
      method: "POST", target: "/v1/pool/leave", call: "leavePool", answer: #"{"apiVersion":1,"done":true}"#),
    Case(
      method: "POST", target: "/v1/pool/rekey", body: #"{"hostOnly":true}"#, call: "rekey true",
      answer: #"{"apiVersion":1,"asked":[],"epoch":3,"host":"host1","notReached":[]}"#),
    Case(
      method: "POST", target: "/v1/pool/rekey", call: "rekey nil",
      answer: #"{"apiVersion":1,"asked":["host2","host3"],"epoch":3,"host":"host1","notReached":[]}"#),
    Case(method: "GET", target: "/v1/hosts", call: "hosts", answer: "[\(host),\(silentHost)]"),
    Case(method: "GET", target: "/v1/hosts/host1", call: "host host1", answer: versioned(host, before: "boot")),
    Case(
      method: "POST", target: "/v1/hosts/host2/evict", body: "{}", call: "evictHost host2",
      answer: versioned(silentHost, before: "boot").replacing("agentDown", with: "evicted")),
    Case(method: "GET", target: "/v1/networks", call: "networks", answer: "[\(network)]"),
    Case(
      method: "POST", target: "/v1/networks",
      body: #"{"name":"blue","encap":"vxlan","encryption":"off","mtu":1450,"vni":4711,"bridge":"weft-blue"}"#,
      status: 201, call: "createNetwork blue vxlan off 1450 4711 weft-blue",
      answer: #"{"apiVersion":1,"milliseconds":38,"network":\#(network),"tookSeconds":0.038}"#),
    Case(
      method: "POST", target: "/v1/networks", body: #"{"name":"blue","mtu":null}"#, status: 201,
      call: "createNetwork blue nil nil nil nil nil",
      answer: #"{"apiVersion":1,"milliseconds":38,"network":\#(network),"tookSeconds":0.038}"#),
    Case(
      method: "GET", target: "/v1/networks/blue", call: "network blue", answer: versioned(network, before: "bindings")),
    Case(
      method: "GET", target: "/v1/networks/a%20b%2Fc%3F%C3%BC", call: "network a b/c?ü",
      answer: versioned(network, before: "bindings")),
    Case(
      method: "GET", target: "/v1/networks/red", call: "network red", answer: versioned(encrypted, before: "bindings")),
    Case(
      method: "PATCH", target: "/v1/networks/blue", body: #"{"mtu":1400}"#, call: "setNetwork blue nil 1400",
      answer: #"{"apiVersion":1,"milliseconds":12,"network":\#(network),"tookSeconds":0.012}"#),
    Case(
      method: "DELETE", target: "/v1/networks/blue", call: "deleteNetwork blue",
      answer: #"{"apiVersion":1,"done":true}"#),
    Case(method: "GET", target: "/v1/bindings", call: "bindings nil", answer: "[\(binding),\(duplicate)]"),
    Case(method: "GET", target: "/v1/bindings?network=empty", call: "bindings empty", answer: "[]"),
    Case(method: "GET", target: "/v1/events", call: "events nil", answer: "[\(event)]"),
    Case(method: "GET", target: "/v1/events?after=4&follow=0", call: "events 4", answer: "[\(event)]"),
    Case(method: "GET", target: "/v1/doctor", call: "doctor", answer: report),
  ]

  /// The object with `apiVersion` at its place in alphabetical order, before `before`.
  private static func versioned(_ object: String, before key: String) -> String {
    object.replacing("\"\(key)\":", with: "\"apiVersion\":1,\"\(key)\":", maxReplacements: 1)
  }

  private static let host = """
    {"address":"192.0.2.1","boot":"7/00000000000000aa","capabilities":["kernelESP","kernelVXLAN"],"epoch":2,\
    "id":"00112233445566778899aabbccddeeff","incarnation":3,"isSelf":true,"keyEpoch":2,\
    "keys":[\(keys),\(noKeys)],"mtu":1500,"name":"host1",\
    "networks":["blue"],"problems":[],"release":"0.1.0","state":"alive","version":19}
    """
  private static let keys = """
    {"drops":[\(drop)],"host":"host2","hostId":"ffeeddccbbaa99887766554433221100","inbound":2,"integrityFailures":1,\
    "outboundSPI":"0x001a2b3c","packetsReceived":118,"packetsSent":120,"replayed":3,"state":"established"}
    """
  private static let drop = """
    {"count":3,"message":"An ESP packet came a second time.","reason":"replayed"}
    """
  private static let noKeys = """
    {"drops":[],"host":"host3","hostId":"0f","inbound":0,"integrityFailures":0,"outboundSPI":null,"packetsReceived":0,\
    "packetsSent":0,"replayed":0,"state":"none"}
    """
  private static let silentHost = """
    {"address":null,"boot":null,"capabilities":[],"epoch":0,"id":"ffeeddccbbaa99887766554433221100","incarnation":0,\
    "isSelf":false,"keyEpoch":null,"keys":null,"mtu":null,"name":"host2","networks":[],"problems":["Its agent is silent: start weftd there."],\
    "release":null,"state":"agentDown","version":0}
    """
  private static let network = """
    {"bindings":2,"bridge":"weft-blue","conflictsWith":null,"encap":"vxlan","encryption":"off","forwarding":null,\
    "hosts":["host1","host2","host3"],"id":"6f9d3c50-52c4-4f0e-8a57-2f0c9f6c2d11","mechanism":null,"mtu":1450,\
    "name":"blue","overhead":null,"problems":[],"state":"ok","underlayNeeded":null,"vni":4711}
    """
  private static let encrypted = """
    {"bindings":0,"bridge":"weft-red","conflictsWith":null,"encap":"gre","encryption":"required",\
    "forwarding":{"counters":{"bytesIn":5000,"bytesOut":9000,"drops":[\(drop)],"framesCut":1,"framesFlooded":2,\
    "framesIn":1,"framesJoined":1,"framesOut":7,"packetsIn":6,"packetsOut":12},\
    "entries":[{"address":"192.0.2.2","mac":"00:16:3e:00:00:02"}],"flood":["192.0.2.2","192.0.2.3"],"path":"user"},\
    "hosts":["host1"],"id":"7f9d3c50-52c4-4f0e-8a57-2f0c9f6c2d12","mechanism":"user-space GRE in ESP in UDP","mtu":1412,\
    "name":"red","overhead":88,"problems":[],"state":"ok","underlayNeeded":1500,"vni":4712}
    """
  private static let binding = """
    {"damped":false,"duplicate":false,"hidden":false,"host":"host1","hostId":"00112233445566778899aabbccddeeff",\
    "ips":["198.51.100.7","2001:db8::7"],"mac":"00:16:3e:00:00:01","network":"blue",\
    "networkId":"6f9d3c50-52c4-4f0e-8a57-2f0c9f6c2d11","rivals":[],"sequence":4,"state":"live","vif":"vif3.0","vm":"web"}
    """
  private static let duplicate = """
    {"damped":true,"duplicate":true,"hidden":true,"host":"host2","hostId":"ffeeddccbbaa99887766554433221100",\
    "ips":[],"mac":"00:16:3e:00:00:02","network":"blue","networkId":"6f9d3c50-52c4-4f0e-8a57-2f0c9f6c2d11",\
    "rivals":[{"host":"host1","sequence":null,"vif":"vif4.0","vm":null}],"sequence":null,"state":"present",\
    "vif":null,"vm":null}
    """
  private static let event = """
    {"host":"host1","id":5,"kind":"macMoved","mac":"00:16:3e:00:00:01",\
    "message":"00:16:3e:00:00:01 moved from host2 to host1.","network":"blue","time":"2026-11-20T23:30:00.250Z"}
    """
  private static let report = """
    {"apiVersion":1,"checks":[{"message":"Tried: it works.","name":"VXLAN in the kernel","status":"ok"},\
    {"message":"It does not answer: look at its network.","name":"underlay to host2","status":"warning"}],\
    "host":"host1","status":"warning"}
    """
  private static let status = """
    {"address":"192.0.2.1","apiVersion":1,"bindings":2,"epochs":[{"epoch":2,"host":"host1"}],"host":"host1",\
    "hostId":"00112233445566778899aabbccddeeff","hosts":{"agentDown":1,"alive":2,"dead":0,"suspect":0},"joined":true,\
    "keys":{"epoch":2,"established":1,"none":0,"pending":2,"waiting":0},"networks":1,"pool":"rack","poolId":"0a0b0c0d","problems":["Host host2 is silent: start weftd there."],\
    "release":"0.1.0"}
    """
}
