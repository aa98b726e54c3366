"""A server on loopback that answers what `huggingface_hub` asks the Hub for repositories of data sets."""

import base64
import hashlib
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "hf_" + "a" * 34


class Hub:
    """Repositories, each a list of commits: their id, and the content of each file then."""

    def __init__(self):
        self.repositories = {}
        self.private = set()
        self.large = {}
        # What somebody else commits while the next files are uploaded: repository, files.
        self.meanwhile = None
        self.asked = []
        hub = self

        class Handler(_Handler):
            pass

        Handler.hub = hub
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def commit(self, repository, files):
        """Adds a commit with these files beside those before."""
        commits = self.repositories.setdefault(repository, [])
        before = commits[-1][1] if commits else {}
        content = {**before, **files}
        oid = hashlib.sha1(f"{repository} {len(commits)}".encode()).hexdigest()
        commits.append((oid, content))
        return oid

    def files(self, repository):
        return self.repositories[repository][-1][1]

    def at(self, repository, revision):
        commits = self.repositories[repository]
        if revision in (None, "main"):
            return commits[-1]
        return next((commit for commit in commits if commit[0] == revision), None)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub = None

    def log_message(self, *_):
        pass

    def answer(self, status, content=b"", headers=None):
        if not isinstance(content, bytes):
            content = json.dumps(content).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def error(self, status, code):
        self.answer(status, {"error": code}, {"X-Error-Code": code, "X-Error-Message": code})

    def do_GET(self):
        path = urlsplit(self.path).path
        self.hub.asked.append(f"{self.command} {path}")
        if found := re.fullmatch(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            return self.resolve(found[1], unquote(found[2]), unquote(found[3]))
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)(?:/revision/(.+))?", path):
            commit = self.known(found[1], found[2] and unquote(found[2]))
            if commit:
                names = [{"rfilename": name} for name in commit[1]]
                about = {"id": found[1], "sha": commit[0], "siblings": names, "private": False}
                self.answer(200, {**about, "tags": [], "downloads": 0, "likes": 0})
            return None
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/tree/([^/]+)(?:/(.*))?", path):
            commit = self.known(found[1], unquote(found[2]))
            if commit:
                folder = unquote(found[3] or "")
                deep = "recursive=true" in urlsplit(self.path).query.lower()
                entries = _tree(commit[1], folder, deep)
                if entries or not folder:
                    self.answer(200, entries)
                else:
                    self.error(404, "EntryNotFound")
            return None
        return self.error(404, "NotFound")

    do_HEAD = do_GET

    def do_PUT(self):
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        assert self.path == f"/large/{hashlib.sha256(content).hexdigest()}"
        self.hub.large[hashlib.sha256(content).hexdigest()] = content
        self.answer(200)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = urlsplit(self.path).path
        self.hub.asked.append(f"POST {path}")
        if "/preupload/" in path and self.hub.meanwhile:
            self.hub.commit(*self.hub.meanwhile)
            self.hub.meanwhile = None
        if path == "/api/validate-yaml":
            return self.answer(200, {"errors": [], "warnings": []})
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/paths-info/([^/]+)", path):
            commit = self.known(found[1], unquote(found[2]))
            if commit:
                asked = parse_qs(body.decode())["paths"]
                all_ = _tree(commit[1], "", True)
                self.answer(200, [entry for entry in all_ if entry["path"] in asked])
            return None
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            return self.error(401, "Unauthorized")
        if path == "/api/repos/create":
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            if asked.get("visibility") == "private" or asked.get("private"):
                self.hub.private.add(name)
            url = {"url": f"{self.hub.endpoint}/datasets/{name}"}
            if name in self.hub.repositories:
                return self.answer(409, url)
            self.hub.commit(name, {})
            return self.answer(200, url)
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/preupload/(.+)", path):
            files = json.loads(body)["files"]
            modes = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".parquet") else "regular",
                    "shouldIgnore": False,
                }
                for file in files
            ]
            return self.answer(200, {"files": modes})
        if path.endswith(".git/info/lfs/objects/batch"):
            objects = [
                {**one, "actions": {"upload": {"href": f"{self.hub.endpoint}/large/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            return self.answer(200, {"transfer": "basic", "objects": objects})
        if found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/commit/(.+)", path):
            files = {}
            for line in body.splitlines():
                one = json.loads(line)
                if one["key"] == "header":
                    parent = one["value"].get("parentCommit")
                    if parent not in (None, self.hub.at(found[1], None)[0]):
                        return self.error(412, "PreconditionFailed")
                elif one["key"] == "file":
                    files[one["value"]["path"]] = base64.b64decode(one["value"]["content"])
                elif one["key"] == "lfsFile":
                    files[one["value"]["path"]] = self.hub.large[one["value"]["oid"]]
            oid = self.hub.commit(found[1], files)
            url = f"{self.hub.endpoint}/datasets/{found[1]}/commit/{oid}"
            return self.answer(200, {"success": True, "commitOid": oid, "commitUrl": url})
        return self.error(404, "NotFound")

    def known(self, repository, revision):
        allowed = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        hidden = repository in self.hub.private and not allowed
        if repository not in self.hub.repositories or hidden:
            self.error(401, "RepoNotFound")
            return None
        commit = self.hub.at(repository, revision)
        if commit is None:
            self.error(404, "RevisionNotFound")
        return commit

    def resolve(self, repository, revision, name):
        commit = self.known(repository, revision)
        if commit is None:
            return None
        headers = {"X-Repo-Commit": commit[0]}
        if name not in commit[1]:
            headers |= {"X-Error-Code": "EntryNotFound"}
            return self.answer(404, {"error": "EntryNotFound"}, headers)
        content = commit[1][name]
        whole = {**headers, "ETag": f'"{_oid(content)}"', "Accept-Ranges": "none"}
        return self.answer(200, content, whole)


def _tree(files, folder, deep):
    """What is in a folder, as the Hub lists it; if `deep`, in those below it too."""
    start = f"{folder}/" if folder else ""
    inside = {name: content for name, content in files.items() if name.startswith(start)}
    folders = {
        "/".join(name.split("/")[:depth])
        for name in inside
        for depth in range(start.count("/") + 1, name.count("/") + 1)
    }
    found = [{"type": "directory", "path": one, "size": 0, "oid": "0" * 40} for one in folders]
    for name, content in inside.items():
        found.append({"type": "file", "path": name, "size": len(content), "oid": _oid(content)})
    return [one for one in found if deep or "/" not in one["path"][len(start) :]]


def _oid(content):
    return hashlib.sha1(content).hexdigest()
