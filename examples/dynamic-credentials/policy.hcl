# What the token of these examples needs, and nothing else.
path "database/creds/app" {
  capabilities = ["read"]
}
path "pki/issue/web" {
  capabilities = ["update"]
}
# Leases are renewed, and revoked when something else took their place.
path "sys/leases/renew" {
  capabilities = ["update"]
}
path "sys/leases/revoke" {
  capabilities = ["update"]
}
