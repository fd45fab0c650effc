import Glibc
import Testing

extension EndToEnd {
  @Suite struct Traffic {
    @Test("Broadcast, multicast and unknown unicast reach every other guest once, known unicast its guest only")
    func flooding() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try [1, 2, 3, 3].map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let wires = try guests.map { try $0.wire() }
        for (what, destination, receivers) in [
          ("broadcast", Frame.broadcast, [1, 2, 3]),
          ("multicast", "01:00:5e:01:02:03", [1, 2, 3]),
          ("unknown unicast", "02:00:00:00:00:77", [1, 2, 3]),
          ("unicast", guests[1].mac, [1]),
        ] {
          let mark = Frame.mark(what)
          try guests[0].socket().send(Frame.ethernet(to: destination, from: guests[0].mac, payload: mark))
          for index in receivers {
            let frames = wires[index].receive(1, marked: mark, within: 3)
            try #require(frames.count == 1, "\(what) reaches guest \(index + 1)")
          }
          for index in guests.indices {
            let more = wires[index].receive(marked: mark, within: 0.2)
            try #require(more.isEmpty, "\(what) came to guest \(index + 1) once too often")
          }
        }
      }
    }

    @Test("IPv4 and IPv6 work inside a network, neighbour discovery included")
    func bothFamilies() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...3).map { try pool.guest(on: pool[$0], blue) }
        for guest in guests { try guest.enableIPv6() }
        try expectAllReach(guests)
        for from in guests {
          for to in guests where to !== from {
            try eventually(within: 10, "\(from.ipv6) reaches \(to.ipv6)") { from.reaches(to.ipv6) }
          }
        }
        let binding = try #require(try pool[1].binding(guests[2].mac, in: "blue"))
        #expect(binding.ips.contains(guests[2].ipv4))
        try eventually(within: 5, "host1 lists the IPv6 address of a guest of host3") {
          try pool[1].binding(guests[2].mac, in: "blue")?.ips.contains(guests[2].ipv6) == true
        }
      }
    }

    @Test("A packet of exactly the network's MTU crosses between hosts, untagged and behind a VLAN tag")
    func fullSize() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        try #require(blue.mtu >= 1400, "an underlay of 1500 carries at least 1400, not \(blue.mtu)")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        // 20 bytes of IPv4 and 8 of ICMP; -M do: never in fragments.
        try guests[0].namespace.execute(
          "ping", "-n", "-q", "-c", "3", "-i", "0.05", "-M", "do", "-s", "\(blue.mtu - 28)", guests[1].ipv4)
        let mark = Frame.mark("full size")
        let payload = mark + [UInt8](repeating: 0x5a, count: blue.mtu - mark.count)
        let capture = try pool.start(
          ["tcpdump", "-i", "eth0", "-n", "-e", "-l", "-U", "-c", "1", "vlan", "77"], in: guests[1].namespace,
          name: "tcpdump")
        try eventually("tcpdump listens") { Files.text(capture.errors).contains("listening") }
        try guests[0].socket().send(
          Frame.ethernet(to: guests[1].mac, from: guests[0].mac, vlan: 77, payload: payload))
        try eventually(within: 5, "a tagged frame of full size arrives with its tag") { !capture.isRunning }
        #expect(Files.text(capture.output).contains("length \(blue.mtu + 18)"))
      }
    }

    @Test("VLAN-tagged frames cross unchanged, tags and priorities told apart")
    func tagged() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let capture = try pool.start(
          ["tcpdump", "-i", "eth0", "-n", "-e", "-l", "-U", "-c", "3", "vlan"], in: guests[1].namespace,
          name: "tcpdump")
        try eventually("tcpdump listens") { Files.text(capture.errors).contains("listening") }
        let socket = try guests[0].socket()
        for tag: UInt16 in [5, 4094, 7 << 13 | 6] {
          try socket.send(
            Frame.ethernet(to: Frame.broadcast, from: guests[0].mac, vlan: tag, payload: Frame.mark("tag \(tag)")))
        }
        try eventually(within: 5, "three tagged frames arrive") { !capture.isRunning }
        let lines = Files.text(capture.output).split(separator: "\n")
        #expect(lines.contains { $0.contains("vlan 5,") })
        #expect(lines.contains { $0.contains("vlan 4094,") })
        #expect(lines.contains { $0.contains("vlan 6, p 7,") })
      }
    }

    @Test("A guest gets its address by DHCP from a guest on another host")
    func dhcp() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let server = try pool.guest(on: pool[1], blue)
        _ = try pool.start(
          [
            "dnsmasq", "--keep-in-foreground", "--port=0", "--conf-file=/dev/null", "--interface=eth0",
            "--bind-interfaces",
          ]
            + [
              "--dhcp-range=10.7.0.100,10.7.0.110,5m", "--dhcp-authoritative", "--no-ping", "--user=root",
              "--group=root",
            ]
            + ["--dhcp-leasefile=\(pool.path("leases"))", "--pid-file=\(pool.path("dnsmasq.pid"))"],
          in: server.namespace, name: "dnsmasq")
        let client = try pool.bareGuest()
        try client.connect(try client.plug(into: pool[2], blue))
        try client.namespace.ip("address", "flush", "dev", "eth0")
        let script = pool.path("udhcpc.sh")
        try Files.write(
          """
          #!/bin/sh
          [ "$1" = bound ] || [ "$1" = renew ] || exit 0
          ip address add "$ip/$mask" dev "$interface"

          """.utf8, to: script)
        chmod(script, 0o755)
        try client.namespace.execute(
          "udhcpc", "-f", "-q", "-n", "-t", "10", "-T", "1", "-i", "eth0", "-s", script, seconds: 30)
        let addresses = try client.namespace.ip("-4", "-o", "address", "show", "dev", "eth0")
        #expect(addresses.contains("inet 10.7.0.10"), "the lease: \(addresses)")
        try eventually(within: 5, "the client reaches the server") { client.reaches(server.ipv4) }
        #expect(Files.text(pool.path("leases")).contains(client.mac))
      }
    }

    @Test("A guest that never sends ARP is found by its first ordinary frame")
    func silentGuest() throws {
      try withPool(3) { pool in
        let blue = try pool.network("blue")
        let silent = try pool.bareGuest()
        let other = try pool.guest(on: pool[2], blue)
        try silent.connect(try silent.plug(into: pool[1], blue))
        for (guest, peer) in [(silent, other), (other, silent)] {
          try guest.namespace.ip("link", "set", "eth0", "arp", "off")
          try guest.namespace.ip(
            "neighbour", "replace", peer.ipv4, "lladdr", peer.mac, "dev", "eth0", "nud", "permanent")
        }
        #expect(try pool[3].binding(silent.mac, in: "blue") == nil)
        try eventually(within: 5, "pings pass without any ARP") { silent.reaches(other.ipv4) }
        for host in pool.hosts {
          try eventually(within: 5, "\(host.name) knows the silent guest") {
            let binding = try host.binding(silent.mac, in: "blue")
            return binding?.host == "host1" && binding?.state == "live"
          }
        }
        #expect(try pool[3].remote(silent.mac, in: "blue") == pool[1].address)
      }
    }

    @Test("Two networks with the same MACs and addresses do not see each other's frames")
    func separateNetworks() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let green = try pool.network("green", on: pool[2])
        #expect(blue.vni != green.vni)
        #expect(blue.bridge != green.bridge)
        let blues = try (1...2).map { try pool.guest(on: pool[$0], blue, mac: "00:16:3e:aa:00:0\($0)") }
        // The other way round, so that a leak between the networks would move a MAC.
        let greens = try (1...2).map { try pool.guest(on: pool[3 - $0], green, mac: "00:16:3e:aa:00:0\($0)") }
        try expectAllReach(blues)
        try expectAllReach(greens)
        try pool.expect(blues[0].mac, in: blue, on: pool[1])
        try pool.expect(greens[0].mac, in: green, on: pool[2])
        for (sender, receiver, strangers) in [(blues[0], blues[1], greens), (greens[0], greens[1], blues)] {
          for destination in [Frame.broadcast, receiver.mac] {
            let mark = Frame.mark("from \(sender.number) to \(destination)")
            let wires = try strangers.map { try $0.wire() }
            try sender.socket().send(Frame.ethernet(to: destination, from: sender.mac, payload: mark))
            #expect(try receiver.socket().receive(1, marked: mark, within: 3).count == 1)
            for wire in wires { #expect(wire.receive(marked: mark, within: 0.2).isEmpty) }
          }
        }
      }
    }

    @Test("A guest with several VIFs, in two networks and twice in one, is reached by each")
    func severalVIFs() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let green = try pool.network("green")
        let guest = try pool.guest(on: pool[1], blue)
        for (device, network) in [(1, green), (2, blue)] {
          let vif = try guest.plug(into: pool[1], network, device: device)
          try guest.connect(vif)
          try guest.announce(device: device)
        }
        let bluePeer = try pool.guest(on: pool[2], blue)
        let greenPeer = try pool.guest(on: pool[2], green)
        try greenPeer.namespace.ip("address", "add", "10.7.1.200/24", "dev", "eth0")
        try bluePeer.namespace.ip("address", "add", "10.7.2.200/24", "dev", "eth0")
        try eventually(within: 5, "by its first VIF") { bluePeer.reaches(guest.address(0)) }
        try eventually(within: 5, "by its second VIF, in another network") { greenPeer.reaches(guest.address(1)) }
        try eventually(within: 5, "by its third VIF, in the first network again") { bluePeer.reaches(guest.address(2)) }
        for (device, network) in [(0, "blue"), (1, "green"), (2, "blue")] {
          try eventually(within: 5, "host2 knows the VIF of device \(device)") {
            let binding = try pool[2].binding(guest.mac(device), in: network)
            return binding?.host == "host1" && binding?.vif == guest.connected(device)?.name
          }
        }
        #expect(try pool[2].binding(guest.mac(1), in: "blue") == nil)
      }
    }

    @Test("A guest cannot reach the hosts: no address of dom0 answers on the network's bridge")
    func dom0IsNotReachable() throws {
      try withPool(2) { pool in
        let blue = try pool.network("blue")
        let guests = try (1...2).map { try pool.guest(on: pool[$0], blue) }
        try expectAllReach(guests)
        let bridge = try #require(try pool[1].namespace.link(blue.bridge))
        let addresses = try pool[1].namespace.ip("-o", "address", "show", "dev", blue.bridge)
        #expect(!addresses.contains("inet"), "the bridge has an address: \(addresses)")

        // Nobody answers who asks for an address of dom0.
        let guest = guests[0]
        let question = Frame.arpRequest(for: pool[1].address, mac: guest.mac, ip: "192.0.2.200")
        try guest.socket().send(question)
        let answers = try guest.socket().receive(marked: Frame.arpReply, within: 0.5).filter { frame in
          frame[28..<32].elementsEqual([192, 0, 2, 1])
        }
        #expect(answers.isEmpty, "dom0 answers ARP: \(answers)")

        // And a guest that knows the bridge's MAC and needs no ARP is not heard.
        let heard = pool.path("heard")
        _ = try pool.start(
          ["socat", "-u", "UDP4-RECV:9999", "OPEN:\(heard),creat,append"], in: pool[1].namespace, name: "listener")
        try eventually("the listener of dom0 is heard by the other host") {
          try DatagramSocket(in: pool[2].namespace).send(Array("host".utf8), to: pool[1].address, port: 9999)
          return Files.text(heard).contains("host")
        }
        try guest.namespace.ip("address", "add", "192.0.2.200/24", "dev", "eth0")
        try guest.namespace.ip(
          "neighbour", "replace", pool[1].address, "lladdr", try #require(bridge.address), "dev", "eth0", "nud",
          "permanent")
        let socket = try DatagramSocket(in: guest.namespace)
        for _ in 0..<10 { socket.send(Array("guest".utf8), to: pool[1].address, port: 9999) }
        try always(for: 0.5, "dom0 takes no input from the bridge") { !Files.text(heard).contains("guest") }
      }
    }
  }
}
