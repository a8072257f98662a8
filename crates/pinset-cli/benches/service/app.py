"""The service of Hipcall's guide: Flask, users and log in SQLite.

What the guide leaves open is chosen for its good: a connection a thread, an index
on the number, and, with SERVICE_SYNCHRONOUS, no wait for the disk at each commit.
"""

import os
import sqlite3
import threading

from flask import Flask, jsonify, request

app = Flask(__name__)
local = threading.local()


def connection():
    if not hasattr(local, "db"):
        local.db = sqlite3.connect(os.environ["SERVICE_DB"], timeout=30)
        local.db.row_factory = sqlite3.Row
        if "SERVICE_SYNCHRONOUS" in os.environ:
            local.db.execute(f"PRAGMA synchronous = {os.environ['SERVICE_SYNCHRONOUS']}")
    return local.db


def normalize_phone(phone):
    if not phone:
        return phone
    phone = phone.strip()
    if phone.startswith("+90"):
        phone = phone[3:]
    elif phone.startswith("90") and len(phone) == 12:
        phone = phone[2:]
    elif phone.startswith("0") and len(phone) == 11:
        phone = phone[1:]
    return phone


def goes_to(sound, destination):
    return jsonify({
        "version": "1",
        "seq": [
            {
                "action": "play",
                "args": {"url": f"https://your-server.example.com/static/audio/{sound}.mp3"},
            },
            {"action": "connect", "args": {"destination": destination}},
        ],
    })


@app.route("/api/external/hipcall-ingress", methods=["POST"])
def hipcall_ingress():
    data = request.json
    caller = data.get("caller")
    gather_data = data.get("data", {})
    if "pin_code" not in gather_data:
        return jsonify({
            "version": "1",
            "seq": [
                {
                    "action": "gather",
                    "args": {
                        "min_digits": 1,
                        "max_digits": 4,
                        "ask": "https://your-server.example.com/static/audio/pin_prompt.mp3",
                        "variable_name": "pin_code",
                    },
                }
            ],
        })
    user = connection().execute(
        "SELECT * FROM users WHERE phone = ?", (normalize_phone(caller),)
    ).fetchone()
    entered_pin = gather_data.get("pin_code")
    if user and entered_pin == user["pin_code"]:
        return goes_to("success", "1091")
    return goes_to("failure", "1092")


@app.after_request
def log_request_response(response):
    if request.path == "/api/external/hipcall-ingress":
        req_body = request.get_data(as_text=True)
        res_body = response.get_data(as_text=True)
        db = connection()
        db.execute(
            "INSERT INTO logs (method, path, request_body, response_body) VALUES (?, ?, ?, ?)",
            (request.method, request.path, req_body, res_body),
        )
        db.commit()
    return response
