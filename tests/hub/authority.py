# SPDX-License-Identifier: LGPL-2.1-or-later
"""A certificate authority of the test's own, made with the program openssl."""

import subprocess

CONFIGURATION = """
[ca]
default_ca = ours
[ours]
database = {folder}/index.txt
new_certs_dir = {folder}
rand_serial = yes
unique_subject = no
default_md = sha256
policy = names
copy_extensions = copy
[names]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
"""


class Authority:
    """`certificate` is what clients are told to trust; `issue` makes servers' certificates."""

    def __init__(self, folder):
        self._folder = folder
        folder.mkdir()
        (folder / "index.txt").touch()
        self._configuration = folder / "ca.cnf"
        self._configuration.write_text(CONFIGURATION.format(folder=folder))
        self.certificate = folder / "ca.pem"
        self._key = folder / "ca.key"
        request = self._request("ca", "/CN=Test Authority", self._key)
        self._sign(request, self.certificate, "-selfsign", "-extensions", "authority")

    def issue(self, name, host="localhost", begin="20200101000000Z", end="20990101000000Z"):
        """Certificate and key in one file."""
        key, certificate = self._folder / f"{name}.key", self._folder / f"{name}.pem"
        request = self._request(name, f"/CN={host}", key, "-addext", f"subjectAltName=DNS:{host}")
        self._sign(request, certificate, "-cert", self.certificate, dates=(begin, end))
        both = self._folder / f"{name}.both"
        both.write_text(key.read_text() + certificate.read_text())
        return both

    def _request(self, name, subject, key, *more):
        request = self._folder / f"{name}.csr"
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        _openssl("req", *kind, "-keyout", key, "-subj", subject, "-out", request, *more)
        return request

    def _sign(self, request, out, *more, dates=("20200101000000Z", "20990101000000Z")):
        validity = ["-startdate", dates[0], "-enddate", dates[1]]
        options = ["-batch", "-notext", "-config", self._configuration, "-keyfile", self._key]
        _openssl("ca", *options, *validity, "-in", request, "-out", out, *more)


def _openssl(*arguments):
    result = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
