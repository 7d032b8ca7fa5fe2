#!/bin/sh
# Makes the secrets that compose.yaml names, once: what is there stays. The folder is ignored by git.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets

random() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }
keep() {
    [ -s "secrets/$1" ] && return
    printf '%s\n' "$2" >"secrets/$1"
    # Readable for the container's user, who is somebody else; the folder itself is closed to others.
    chmod 644 "secrets/$1"
}

keep database_password "$(random)"
keep redis_password "$(random)"
keep secret_key "$(random)"
keep metrics_key "$(random)"
keep database_url "postgres://certifier:$(cat secrets/database_password)@database:5432/certifier"
keep redis_url "redis://:$(cat secrets/redis_password)@redis:6379/0"
echo "The secrets are in $(pwd)/secrets."
