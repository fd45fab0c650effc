import Testing
import Wire

@Suite struct AddressTests {
  @Test(arguments: [
    ("192.0.2.1", "192.0.2.1"), ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
    ("2001:db8::1", "2001:db8::1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
    ("2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"),
    ("::ffff:192.0.2.1", "::ffff:c000:201"), ("1:2:3:4:5:6:192.0.2.1", "1:2:3:4:5:6:c000:201"),
  ])
  func anAddressIsReadAndWrittenInItsShortestForm(text: String, canonical: String) throws {
    let address = try #require(IPAddress(text))
    #expect(address.description == canonical)
    #expect(IPAddress(bytes: address.bytes) == address)
    #expect(IPAddress(canonical) == address)
  }

  @Test(arguments: [
    "", ".", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.-4", "1.2.3.+4", " 1.2.3.4", "1.2.3.4 ", "a.b.c.d",
    ":",
    ":::", "1::2::3", "12345::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "g::", "+1::", "::1.2.3",
    "1.2.3.4::", "fe80::1%eth0", "١.2.3.4", "::１",
  ])
  func whatIsNoAddressIsRefused(text: String) { #expect(IPAddress(text) == nil) }

  @Test func addressesAreClassedAndOrdered() throws {
    let texts = ["10.0.0.1", "192.0.2.1", "192.0.2.2", "::", "2001:db8::1", "2001:db8::2", "fe80::1", "ff02::1"]
    let addresses = try texts.map { try #require(IPAddress($0)) }
    #expect(addresses.shuffled().sorted() == addresses)
    #expect(addresses.map(\.isUnicast) == [true, true, true, false, true, true, true, false])
    #expect(addresses.map(\.isLinkLocal) == [false, false, false, false, false, false, true, false])
    #expect(IPAddress("169.254.3.4")?.isLinkLocal == true && IPAddress("fec0::1")?.isLinkLocal == false)
    #expect(IPAddress("224.0.0.1")?.isUnicast == false && IPAddress("255.255.255.255")?.isUnicast == false)
  }

  @Test(arguments: [
    ("192.0.2.1:7677", "192.0.2.1:7677"), ("192.0.2.1", "192.0.2.1:9"), ("[2001:db8::1]:7677", "[2001:db8::1]:7677"),
    ("2001:db8::1", "[2001:db8::1]:9"), ("[2001:db8::1]", "[2001:db8::1]:9"),
  ])
  func anEndpointIsReadWithOrWithoutItsPort(text: String, canonical: String) {
    #expect(Endpoint(text, defaultPort: 9)?.description == canonical)
  }

  @Test(arguments: [
    "", ":", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:+80", "host:80", "[192.0.2.1", "[]:80",
    "2001:db8:1:2:3:4:5:6:80",
  ])
  func whatIsNoEndpointIsRefused(text: String) { #expect(Endpoint(text, defaultPort: 9) == nil) }

  @Test func aMACIsReadInAnyCaseAndWrittenInLowerCase() throws {
    let mac = try #require(MACAddress("02:Ab:00:00:00:fF"))
    #expect(mac.description == "02:ab:00:00:00:ff")
    #expect(MACAddress("02-ab-00-00-00-ff") == mac && MACAddress(octets: mac.octets) == mac)
    #expect(mac.isStation && !mac.isGroup)
    #expect(MACAddress.broadcast.isGroup && !MACAddress.broadcast.isStation && !MACAddress.zero.isStation)
    #expect(MACAddress(1 << 48) == nil && MACAddress(octets: [1, 2, 3]) == nil)
  }

  @Test(arguments: [
    "", "02:ab:00:00:00", "02:ab:00:00:00:ff:01", "2:ab:00:00:00:ff", "02:ab:00:00:00:fg", "+2:ab:00:00:00:ff",
    "02ab.0000.00ff", ":02:ab:00:00:00:ff", "02::ab:00:00:0:ff",
  ])
  func whatIsNoMACIsRefused(text: String) { #expect(MACAddress(text) == nil) }
}
