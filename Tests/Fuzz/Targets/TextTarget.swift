import Crypto
import Wire

@testable import Agent
@testable import Registry
@testable import Trust

/// Text that people and other programs give: tokens (also with the right checksum), addresses, names.
struct TextTarget: FuzzTarget {
  func run(_ bytes: [UInt8]) {
    guard let kind = bytes.first else { return }
    let content = Array(bytes.dropFirst())
    switch kind & 3 {
    case 0: checkToken(String(decoding: content, as: UTF8.self))
    case 1:
      let body = [UInt8(truncatingIfNeeded: (content.count + 4) >> 8), UInt8(truncatingIfNeeded: content.count + 4)]
      let checksum = SHA256.hash(data: body + content).prefix(4)
      checkToken("weft1." + Base64URL.encode(body + content + checksum))
    case 2: checkAddresses(String(decoding: content, as: UTF8.self))
    default: checkNames(String(decoding: content, as: UTF8.self))
    }
  }

  private func checkToken(_ text: String) {
    do throws(JoinTokenError) {
      let token = try JoinToken(text: text)
      require(try JoinToken(text: token.text) == token, "a token is read as it was written")
    } catch {
      _ = error.description
    }
  }

  private func checkAddresses(_ text: String) {
    if let address = IPAddress(text) {
      require(IPAddress(address.description) == address, "an address is read as it was written")
      require(IPAddress(bytes: address.bytes) == address, "an address's bytes are the address")
      _ = (address.isUnicast, address.isLinkLocal)
    }
    if let endpoint = Endpoint(text, defaultPort: 7677) {
      require(Endpoint(endpoint.description) == endpoint, "an endpoint is read as it was written")
    }
    if let mac = MACAddress(text) {
      require(MACAddress(mac.description) == mac, "a MAC is read as it was written")
    }
    if let network = NetworkID(text) {
      require(NetworkID(network.description) == network, "a UUID is read as it was written")
    }
    if let host = HostID(text) { require(HostID(host.description) == host, "a host ID is read as it was written") }
  }

  private func checkNames(_ text: String) {
    do throws(RegistryError) {
      let name = try NetworkName(text)
      let bridge = BridgeName(network: name, vni: VNI.derived(from: World.network(1)))
      require(try BridgeName(bridge.text) == bridge, "the bridge of a network's name is allowed")
    } catch {
      require(error.description.utf8.count < 512, "a refusal is short")
    }
    do throws(RegistryError) { _ = try BridgeName(text) } catch { _ = error.description }
    if let vif = XenVIF.ID(interface: text) {
      require(XenVIF.ID(interface: vif.description) == vif, "a VIF's name is read as it was written")
    }
    require(!VIFName.isNetback(text) || text.utf8.count >= 6, "only vifX.Y is a netback port")
  }

  func seeds() throws -> [[UInt8]] {
    let endpoints = [
      Endpoint(address: .v4(0xc000_0201), port: 7677),
      Endpoint(address: .v6(high: 0x2001_0db8 << 32, low: 1), port: 7677),
    ]
    guard
      let token = JoinToken(
        endpoints: endpoints, pin: Fingerprint(of: []), id: Array(0..<16), secret: Array(0..<32))
    else { return [] }
    let body = Base64URL.decode(token.text.utf8.dropFirst(6)).map { Array($0.dropFirst(2).dropLast(4)) } ?? []
    let addresses = [
      "192.0.2.1", "192.0.2.1:7677", "2001:db8::1", "[2001:db8::1]:7677", "::ffff:192.0.2.1", "00:16:3e:00:00:01",
      World.network(1).description, World.host(1).description,
    ]
    let names = ["blue", "weft-blue", "vif1.0", "vif1.0-emu", "tap1.0"]
    return [[0] + Array(token.text.utf8), [1] + body] + addresses.map { [2] + Array($0.utf8) }
      + names.map { [3] + Array($0.utf8) }
  }
}
