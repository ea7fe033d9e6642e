"""What a training is: runs, how they are judged, and how they train together."""
