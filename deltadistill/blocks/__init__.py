"""The method's building blocks: students, gates, and the blocks that join them with their teacher."""
