"""Work of a stage in several processes: started with torch's own engine, told of through the first of them."""
