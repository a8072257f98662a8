"""A web service that answers as it is told to, right or wrong.

Orders come by stdin, a JSON object a line; each, {} too, is answered with
{"event": "ok"}:

  {"listen": PORT, "tls": null or [CERTIFICATE, KEY], "mute": false}
      takes connections there; mute, it takes them and never says a word
  {"deafen": PORT}
      nothing listens there any more; what is connected is cut off
  {"path": PATH, "answers": [[STEP...]...]}
      what the requests of this path get, one after the other; the last
      answer is that of all that follow

A step is ["send", BASE64], ["drip", BASE64, SECONDS between two bytes],
["wait", SECONDS], ["hang"]: until the other side closes, or ["close"].
A path without answers gets a 404.

Events are printed, one JSON object per line: "opened", "requested", "closed" with
the number of the connection. The end of stdin is the end of it all.
"""
import base64, json, os, socket, ssl, sys, threading

lock = threading.Lock()
answers = {}
listeners = {}
count = 0


def tell(event, **what):
    with lock:
        print(json.dumps({'event': event, **what}), flush=True)


class Gone(Exception):
    """The other side has closed."""


class Connection:
    def __init__(self, number, stream):
        self.number, self.stream, self.left = number, stream, b''

    def more(self):
        """Reads on: what comes stands in self.left."""
        try:
            read = self.stream.recv(65536)
        except TimeoutError:
            raise
        except OSError:
            read = b''
        if not read:
            raise Gone
        self.left += read

    def request(self):
        while b'\r\n\r\n' not in self.left:
            self.more()
        head, self.left = self.left.split(b'\r\n\r\n', 1)
        first, *lines = head.decode('latin-1').split('\r\n')
        headers = {}
        for line in lines:
            name, value = line.split(':', 1)
            headers[name.lower()] = value.strip()
        if headers.get('expect', '').lower() == '100-continue':
            self.send(b'HTTP/1.1 100 Continue\r\n\r\n')
        length = int(headers.get('content-length', 0))
        while len(self.left) < length:
            self.more()
        body, self.left = self.left[:length], self.left[length:]
        method, path, _ = first.split(' ')
        tell('requested', connection=self.number, method=method, path=path, headers=headers,
             body=base64.b64encode(body).decode())
        return path

    def send(self, some):
        try:
            self.stream.sendall(some)
        except OSError:
            raise Gone from None

    def wait(self, seconds):
        """For so long, or until the other side closes."""
        self.stream.settimeout(seconds)
        try:
            while True:
                self.more()
        except TimeoutError:
            pass
        finally:
            self.stream.settimeout(None)

    def answer(self, path):
        """Whether the connection goes on."""
        with lock:
            script = answers.get(path)
            steps = script.pop(0) if script and len(script) > 1 else script[0] if script else None
        if steps is None:
            self.send(b'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')
            return True
        for step, *about in steps:
            if step == 'send':
                self.send(base64.b64decode(about[0]))
            elif step == 'drip':
                for byte in base64.b64decode(about[0]):
                    self.send(bytes([byte]))
                    self.wait(about[1])
            elif step == 'wait':
                self.wait(about[0])
            elif step == 'hang':
                self.wait(None)
            elif step == 'close':
                return False
        return True

    def serve(self, context):
        path, by = '', 'us'
        try:
            if context == 'mute':
                self.wait(None)
            elif context:
                self.stream = context.wrap_socket(self.stream, server_side=True)
            while True:
                path = self.request()
                if not self.answer(path):
                    break
        except Gone:
            by = 'peer'
        except OSError:  # no handshake
            by = 'peer'
        self.stream.close()
        tell('closed', connection=self.number, path=path, by=by)


def listen(port, tls, mute):
    context = 'mute' if mute else None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    listener = socket.create_server(('127.0.0.1', port), backlog=512)
    connected = set()
    listeners[port] = listener, connected

    def accept():
        global count
        while True:
            try:
                stream, _ = listener.accept()
            except OSError:
                return
            # Bytes of a drip go out one by one.
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with lock:
                count += 1
                number = count
            connected.add(stream.fileno())
            tell('opened', connection=number, port=port)
            threading.Thread(target=serve, args=(number, stream), daemon=True).start()

    def serve(number, stream):
        # Its number stands for it: TLS makes another object of it.
        file = stream.fileno()
        Connection(number, stream).serve(context)
        connected.discard(file)

    threading.Thread(target=accept, daemon=True).start()


def deafen(port):
    listener, connected = listeners.pop(port)
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    for file in list(connected):
        with socket.socket(fileno=os.dup(file)) as stream:
            stream.shutdown(socket.SHUT_RDWR)


for line in sys.stdin:
    order = json.loads(line)
    if 'listen' in order:
        listen(order['listen'], order['tls'], order['mute'])
    elif 'deafen' in order:
        deafen(order['deafen'])
    elif 'path' in order:
        with lock:
            answers[order['path']] = order['answers']
    tell('ok')
