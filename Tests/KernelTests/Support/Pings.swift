import Namespaces

/// Whether `address` answers each of three pings within a second.
func pings(_ address: String) -> Bool {
  (try? sh("ping -c 3 -i 0.05 -W 1 \(address) | grep -q ' 0% packet loss'")) != nil
}
