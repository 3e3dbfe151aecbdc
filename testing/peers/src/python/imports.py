import base64
import datetime
import importlib
import json
import os
import queue
import selectors
import signal
import socket
import sys
import threading
import traceback

