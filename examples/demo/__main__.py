from __future__ import annotations

from examples.demo.run import main

if __name__ == "__main__":
    main()
