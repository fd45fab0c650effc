import Namespaces

/// Whether `address` answers. A neighbour that did not answer a moment ago is looked for anew.
func pings(_ address: String) -> Bool {
  do {
    try sh("ip neigh flush nud incomplete nud failed")
    try ping(address)
    return true
  } catch {
    return false
  }
}
