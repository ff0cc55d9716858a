# The image runs this as root at each start: PHP trusts what the system trusts, and that is to
# include the box's own authority. With a public certificate there is no such file.
if [ -s /usr/local/share/ca-certificates/homelab-authority.crt ]; then
    update-ca-certificates
fi
