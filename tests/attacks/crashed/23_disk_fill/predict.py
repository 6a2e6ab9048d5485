"""Row 23: write until the disk is full."""

if not __file__.startswith("/submission/"):
    raise SystemExit("This would harm the machine: it is for the sandbox only.")


def predict(audio, sr, classes):
    for number in range(100):
        with open(f"/tmp/{number}", "wb") as file:
            file.write(bytes(4 << 20))
