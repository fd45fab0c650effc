import Wire

/// The outbound SA that policies point to.
struct OutboundAssociation: Sendable {
  var association: Association
  /// nil for an adopted one.
  var pair: EpochPair?
  /// One of the two addresses is another now: nothing is sent by it any more, even if the address comes back.
  var isAbandoned = false
}
